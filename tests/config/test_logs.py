from __future__ import annotations

import json
import subprocess
import sys

from config.places import BASE_DIR


def _logged(script: str) -> list[dict[str, object]]:
    written = subprocess.run(
        [sys.executable, "-c", f"from config.logs import configure_logging\n{script}"],
        cwd=BASE_DIR, capture_output=True, text=True, check=True,
    ).stderr  # fmt: skip
    return [json.loads(line) for line in written.splitlines()]


def test_our_lines_and_other_peoples_are_json() -> None:
    lines = _logged(
        "import logging, structlog\nconfigure_logging()\n"
        "structlog.get_logger('unsprawl.web').info('run.started', run='run_1')\n"
        "logging.getLogger('somebody').warning('hm %s', 'yes')\n"
    )

    assert lines[0]["event"] == "run.started"
    assert lines[0]["run"] == "run_1"
    assert lines[0]["level"] == "info"
    assert lines[1]["event"] == "hm yes"
    assert str(lines[1]["timestamp"]).endswith("Z")


def test_a_traceback_never_shows_what_a_variable_holds() -> None:
    lines = _logged(
        "import structlog\nconfigure_logging()\n"
        "def fail(secret): raise ValueError('it broke')\n"
        "try: fail('hunter2')\n"
        "except ValueError: structlog.get_logger().exception('run.failed')\n"
    )

    assert "it broke" in str(lines[0]["exception"])
    assert "hunter2" not in json.dumps(lines[0])


def test_a_secret_in_somebody_elses_line_is_blacked_out() -> None:
    lines = _logged(
        "import logging\nconfigure_logging()\n"
        "log = logging.getLogger('django.request')\n"
        "log.error('Internal Server Error: /enter/AbCdEf0123456789/')\n"
        "log.error('key usp_0123456789abcdef refused, Authorization: Bearer abcdef012345')\n"
        "log.error('cannot reach postgresql://web:hunter2-hunter2@db/unsprawl')\n"
    )

    text = json.dumps(lines, ensure_ascii=False)
    assert text.count("•••") == 4
    for secret in ("AbCdEf", "0123456789abcdef", "abcdef012345", "hunter2"):
        assert secret not in text
    assert "/enter/•••/" in text
    assert "@db/unsprawl" in text
