from __future__ import annotations

from pathlib import Path

import pytest

from config.env import Env, Misconfigured


def test_an_empty_variable_is_as_good_as_absent() -> None:
    env = Env({"PORT": "", "NAME": "  "})

    assert env.port("PORT", 8000) == 8000
    assert env.text("NAME", "unsprawl") == "unsprawl"
    env.check()


@pytest.mark.parametrize(
    ("word", "meant"), [("true", True), ("1", True), ("OFF", False), ("no", False)]
)
def test_a_boolean_is_one_of_a_few_words(word: str, meant: bool) -> None:
    assert Env({"FLAG": word}).boolean("FLAG", default=not meant) is meant


def test_every_problem_is_named_before_anything_fails() -> None:
    env = Env({"PORT": "eighty", "FLAG": "perhaps", "URL": "ftp://x", "OPENS": "vendor,all"})

    env.port("PORT", 8000)
    env.boolean("FLAG", default=False)
    env.url("URL", "http://127.0.0.1")
    env.choices("OPENS", frozenset({"vendor"}))

    with pytest.raises(Misconfigured) as caught:
        env.check()
    assert [problem.split()[0] for problem in caught.value.problems] == [
        "PORT",
        "FLAG",
        "URL",
        "OPENS",
    ]


@pytest.mark.parametrize("value", ["0", "65536", "-1", "8 000", "８０００"])
def test_a_port_is_a_port(value: str) -> None:
    env = Env({"PORT": value})

    assert env.port("PORT", 8000) == 8000
    assert "PORT" in env.problems[0]


def test_a_secret_comes_from_its_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")

    assert Env({"KEY_FILE": str(file)}).secret("KEY") == "s3cret"


def test_a_secret_named_twice_or_unreadable_is_a_problem_that_does_not_repeat_it(
    tmp_path: Path,
) -> None:
    twice = Env({"KEY": "s3cret", "KEY_FILE": str(tmp_path / "absent")})

    assert twice.secret("KEY") == ""
    with pytest.raises(Misconfigured) as caught:
        twice.check()
    assert len(caught.value.problems) == 2
    assert "s3cret" not in str(caught.value)


def test_an_address_loses_its_trailing_slash() -> None:
    assert Env({"URL": "https://agents.example/"}).url("URL", "") == "https://agents.example"
