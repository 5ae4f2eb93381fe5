from __future__ import annotations

from typing import Any

import pytest

from registry.models import Agent
from tests.factories import Cast, client_of, make_agent, make_manifest

AT = "/api/v1/agents/invoice-sorter/versions"


@pytest.fixture
def agent(cast: Cast) -> Agent:
    return make_agent(owner=cast.alice, backup_owner=cast.bob, stage="live")


def propose(cast: Cast, who: str = "alice", method: str = "post", **spec: Any) -> Any:
    client = client_of(getattr(cast, who))
    return getattr(client, method)(AT, make_manifest(**spec), format="json")


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("method", ["post", "put"])
def test_a_new_version_waits_and_says_what_it_changes(cast: Cast, method: str) -> None:
    response = propose(cast, method=method, version="1.1.0", dataClasses=["internal", "personal"])
    said = response.json()
    assert (response.status_code, said["number"], said["state"]) == (201, 2, "proposed")
    assert said["changes"][0] == {
        "path": "spec.dataClasses[personal]",
        "kind": "added",
        "before": None,
        "after": "personal",
        "risk": "sees personal data",
        "label": "data class personal added",
    }
    again = propose(cast, method=method, version="1.1.0", dataClasses=["internal", "personal"])
    assert (again.status_code, again.json()["id"]) == (200, said["id"])


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize(
    ("spec", "code"),
    [
        ({}, "registry.version_unchanged"),
        ({"version": "0.1.0"}, "registry.version_not_greater"),
    ],
)
def test_a_version_that_is_no_successor_is_a_conflict(
    cast: Cast, spec: dict[str, Any], code: str
) -> None:
    response = propose(cast, **spec)
    assert (response.status_code, response.json()["code"]) == (409, code)


@pytest.mark.usefixtures("agent")
def test_a_second_proposal_is_a_conflict_until_the_first_is_withdrawn(cast: Cast) -> None:
    propose(cast, version="1.1.0")
    second = propose(cast, version="1.2.0")
    assert (second.status_code, second.json()["code"]) == (
        409,
        "registry.version_already_proposed",
    )
    withdrawn = client_of(cast.bob).delete(f"{AT}/proposed")
    assert withdrawn.json()["state"] == "rejected"
    assert propose(cast, version="1.2.0").status_code == 201


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("who", ["mallory", "sam", "ann"])
def test_others_hand_in_no_version(cast: Cast, who: str) -> None:
    response = propose(cast, who, version="1.1.0")
    assert (response.status_code, response.json()["code"]) == (403, "registry.not_your_agent")


@pytest.mark.usefixtures("agent")
def test_a_manifest_of_another_name_is_refused(cast: Cast) -> None:
    response = client_of(cast.alice).post(AT, make_manifest("other"), format="json")
    assert response.status_code == 422
    assert response.json()["errors"][0]["key"] == "metadata.name"


@pytest.mark.usefixtures("cast")
def test_a_version_for_an_absent_agent_is_not_found(cast: Cast) -> None:
    response = client_of(cast.alice).post(AT, b"nonsense", content_type="application/yaml")
    assert response.status_code == 404


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("who", ["alice", "mallory", "ann"])
def test_versions_are_listed_read_and_compared(cast: Cast, who: str) -> None:
    propose(cast, version="1.1.0", costCenter="1")
    viewer = client_of(getattr(cast, who))
    listed = viewer.get(AT).json()["results"]
    assert [(each["number"], each["state"]) for each in listed] == [
        (2, "proposed"),
        (1, "accepted"),
    ]
    one = viewer.get(f"{AT}/2").json()
    assert one["manifest"]["spec"]["costCenter"] == "1"
    assert {change["path"] for change in one["changes"]} == {"spec.costCenter", "spec.version"}
    assert viewer.get(f"{AT}/1").json()["changes"] == []
    diff = viewer.get(f"{AT}/2/diff/1").json()
    assert (diff["before"], diff["after"]) == (2, 1)
    assert {change["kind"] for change in diff["changes"]} == {"removed", "changed"}


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("path", ["9", "1/diff/9", "99999999999", "0", "x"])
def test_a_version_that_is_not_there_is_not_found(cast: Cast, path: str) -> None:
    assert client_of(cast.alice).get(f"{AT}/{path}").status_code == 404


@pytest.mark.usefixtures("cast")
def test_a_drafts_new_manifest_is_in_force_at_once(cast: Cast) -> None:
    make_agent(owner=cast.alice, backup_owner=cast.bob)
    propose(cast, costCenter="7")
    shown = client_of(cast.alice).get("/api/v1/agents/invoice-sorter").json()
    assert (shown["cost_center"], shown["manifest"]["spec"]["costCenter"]) == ("7", "7")
