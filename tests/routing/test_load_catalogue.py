"""The operator loads a catalogue document and is told what it came to."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from ledger.models import Entry
from routing.models import LifecycleRow

pytestmark = pytest.mark.django_db


def load(*arguments: str) -> str:
    out = StringIO()
    call_command("load_catalogue", *arguments, stdout=out)
    return out.getvalue()


def feed(tmp_path, **over):
    document = {
        "spec": "model-eol/0.1",
        "publisher": "openai",
        "generated": "2026-11-20T00:00:00Z",
        "models": [{"id": "gpt-5", "shutdown": "2026-12-11"}],
    }
    file = tmp_path / "openai.json"
    file.write_text(json.dumps(document | over))
    return str(file)


def test_a_feed_is_loaded_from_a_file_once(tmp_path):
    said = load("--file", feed(tmp_path))
    assert "file:openai.json: 1 rows loaded, 0 models brought in step, sha256:" in said
    assert "unchanged" in load("--file", feed(tmp_path))
    assert LifecycleRow.objects.get().obtained_via == "model-eol/0.1 of openai"
    header = json.loads(bytes(Entry.objects.get().header))
    assert header["facts"]["from"] == "file:openai.json"


def test_what_ships_is_loaded_without_an_option():
    said = load()
    assert "lifecycle: " in said
    assert "prices: " in said


def test_what_cannot_be_read_is_said_plainly(tmp_path):
    with pytest.raises(CommandError, match="No such file"):
        load("--file", str(tmp_path / "absent.json"))
    with pytest.raises(CommandError, match="is not known"):
        load("--file", feed(tmp_path, spec="model-eol/9"))
    with pytest.raises(CommandError, match="must be a day"):
        load("--file", feed(tmp_path, models=[{"id": "m", "shutdown": "soon"}]))
    assert LifecycleRow.objects.count() == 0


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:9/feed.json", "file:///etc/passwd", "https://u:p@x.example/"]
)
def test_an_address_inside_is_not_fetched(url):
    with pytest.raises(CommandError):
        load("--url", url)


def test_a_saved_list_is_loaded_and_the_catalogue_written_out_again(tmp_path):
    life = {"status": "LEGACY", "endOfLifeTime": "2027-01-08T00:00:00Z"}
    saved = tmp_path / "bedrock.json"
    saved.write_text(json.dumps({"modelSummaries": [{"modelId": "m", "modelLifecycle": life}]}))
    load("--file", str(saved), "--region", "eu-west-1", "--as-of", "2026-11-20")
    row = LifecycleRow.objects.get()
    assert (row.platform, row.as_of, row.document) == (
        "bedrock",
        "2026-11-20",
        "file:bedrock.json",
    )
    out = tmp_path / "eol.json"
    call_command("export_catalogue", "--out", str(out), stdout=StringIO())
    (model,) = json.loads(out.read_text())["models"]
    assert (model["id"], model["distributions"][0]["shutdown"]) == ("m", "2027-01-08")
    said = StringIO()
    call_command("export_catalogue", "--platform", "openai", stdout=said)
    assert json.loads(said.getvalue())["models"] == []
    with pytest.raises(CommandError):
        call_command("export_catalogue", "--out", str(tmp_path / "absent" / "x"))
