from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from config import first_steps
from kernel import clock
from registry.models import Person, Role

pytestmark = pytest.mark.django_db


def test_every_start_offers_a_link_until_an_administrator_has_been_in() -> None:
    first, second = first_steps.first_sign_in(), first_steps.first_sign_in()

    assert first.startswith("/enter/")
    assert second.startswith("/enter/")
    assert first != second
    assert Person.objects.filter(roles__contains=[Role.PLATFORM]).count() == 1

    Person.objects.filter(email=first_steps.FIRST_EMAIL).update(last_login=clock.now())
    assert first_steps.first_sign_in() == ""


def test_the_link_signs_the_administrator_in_once(client: Client) -> None:
    path = first_steps.first_sign_in()

    assert client.get(path).status_code == 200
    assert client.post(path).status_code == 302
    assert client.post(path).status_code != 302
    assert first_steps.first_sign_in() == ""


def test_the_bootstrap_token_follows_the_operators_value(settings: Settings) -> None:
    settings.BOOTSTRAP_TOKEN = "t" * 40
    assert first_steps.bootstrap_token().startswith("valid until")
    settings.BOOTSTRAP_TOKEN = ""
    assert first_steps.bootstrap_token() == "none asked for"


def test_preparing_twice_changes_nothing_and_never_prints_a_token(settings: Settings) -> None:
    settings.BOOTSTRAP_TOKEN = "bootstrap-" + "t" * 40
    first, second = io.StringIO(), io.StringIO()

    call_command("prepare", stdout=first)
    call_command("prepare", stdout=second)

    assert "up to date" in second.getvalue()
    assert "link\thttp://127.0.0.1:8000/enter/" in first.getvalue()
    assert settings.BOOTSTRAP_TOKEN not in first.getvalue() + second.getvalue()
