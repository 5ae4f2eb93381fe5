from __future__ import annotations

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.db import connections
from django.test import Client

from registry.sessions import SessionStore, stored
from tests.factories import make_cast

pytestmark = pytest.mark.django_db


def test_a_copy_of_the_database_holds_no_session_that_could_be_used() -> None:
    client = Client()
    client.force_login(make_cast().alice)
    held = client.cookies["unsprawl"].value
    assert client.get("/account/").status_code == 200
    kept = Session.objects.get().session_key
    assert kept == stored(held) != held
    thief = Client()
    thief.cookies["unsprawl"] = kept
    assert thief.get("/account/").status_code == 302


def test_signing_out_removes_the_row() -> None:
    client = Client()
    client.force_login(make_cast().alice)
    client.post("/signout/")
    assert not Session.objects.exists()


def test_a_session_changes_its_id_and_keeps_what_it_held() -> None:
    store = SessionStore()
    store["colour"] = "green"
    store.create()
    before = store.session_key
    store["colour"] = "green"
    store.save()
    store.cycle_key()
    assert store.session_key != before
    assert not store.exists(before)
    assert SessionStore(store.session_key).load() == {"colour": "green"}
    assert SessionStore("unknown").load() == {}


async def test_the_asynchronous_half_finds_the_same_rows(transactional_db: None) -> None:
    store = SessionStore()
    await store.aset("colour", "green")
    await store.acreate()
    await store.asave()
    assert await store.aexists(store.session_key)
    await SessionStore(store.session_key).aload()
    await store.adelete(store.session_key)
    assert not await store.aexists(store.session_key)
    await sync_to_async(connections.close_all)()
