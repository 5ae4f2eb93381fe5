from __future__ import annotations

import json
import threading

import pytest
from django.db import IntegrityError, connection, transaction

from kernel.errors import DomainError
from ledger.models import Entry
from registry.actions import people
from registry.actors import RoleMissing
from registry.errors import people as errors
from registry.models import Person, PersonToken, SignInLink
from tests.factories import (
    Cast,
    actor,
    make_agent,
    make_cast,
    make_person,
    make_team,
    make_token,
    operator,
)


@pytest.fixture
def cast(db: None) -> Cast:
    return make_cast()


def verbs(person: Person) -> list[str]:
    return list(
        Entry.objects.filter(subject=str(person.ref)).order_by("id").values_list("verb", flat=True)
    )


def test_an_added_person_is_normalised_has_the_employee_role_and_is_recorded(cast: Cast) -> None:
    added = people.add_person("  Jane.DOE@Acme.Test ", actor=actor(cast.pat), team="finance")
    assert added.email == "jane.doe@acme.test"
    assert added.roles == ["employee"]
    assert added.team == cast.finance
    assert not added.has_usable_password()
    assert verbs(added) == ["person.added"]


def test_the_record_of_a_person_holds_neither_name_nor_address(cast: Cast) -> None:
    added = people.add_person("jane@acme.test", actor=actor(cast.pat), name="Jane Doe")
    header = bytes(Entry.objects.get(subject=str(added.ref)).header)
    assert b"jane" not in header.lower()


@pytest.mark.parametrize("email", ["ALICE@acme.test", "alice@ACME.TEST", " alice@acme.test"])
def test_one_address_is_one_account_in_whatever_case(cast: Cast, email: str) -> None:
    with pytest.raises(errors.EmailTaken):
        people.add_person(email, actor=actor(cast.pat))


def test_the_database_itself_refuses_a_second_spelling_of_an_address(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="one_per_email"), transaction.atomic():
        make_person("x", email="Alice@Acme.test")


@pytest.mark.parametrize(
    ("over", "error"),
    [
        ({"email": "nobody"}, errors.EmailNotUsable),
        ({"email": "a@b.test\x00"}, errors.EmailNotUsable),
        ({"email": "jané@acme.test"}, errors.EmailNotUsable),
        ({"email": "jane@acmé.test"}, errors.EmailNotUsable),
        ({"team": "unknown"}, errors.UnknownTeam),
        ({"roles": ["root"]}, errors.UnknownRole),
        ({"name": "Sam\u202eytiruces"}, errors.NameNotUsable),
        ({"name": "x" * 201}, errors.NameNotUsable),
    ],
)
def test_bad_input_is_refused_clearly(
    cast: Cast, over: dict[str, object], error: type[DomainError]
) -> None:
    given: dict[str, object] = {"email": "new@acme.test"} | over
    with pytest.raises(error):
        people.add_person(str(given.pop("email")), actor=actor(cast.pat), **given)  # type: ignore[arg-type]
    assert not Person.objects.filter(email="new@acme.test").exists()


def test_an_unknown_team_is_answered_with_the_known_ones(cast: Cast) -> None:
    with pytest.raises(errors.UnknownTeam, match="finance, research"):
        people.add_person("new@acme.test", actor=actor(cast.pat), team="finanz")


@pytest.mark.parametrize("who", ["alice", "sam", "ann", "mallory"])
def test_only_the_platform_role_adds_people(cast: Cast, who: str) -> None:
    with pytest.raises(RoleMissing):
        people.add_person("new@acme.test", actor=actor(getattr(cast, who)))


def test_a_narrowed_administrator_adds_nobody(cast: Cast) -> None:
    with pytest.raises(RoleMissing):
        people.add_person("new@acme.test", actor=actor(cast.pat, "employee"))


def test_people_change_their_own_name_and_time_zone(cast: Cast) -> None:
    changed = people.change_person(
        cast.alice, actor=actor(cast.alice), name="Alice A.", time_zone="Europe/Berlin"
    )
    assert (changed.name, changed.time_zone) == ("Alice A.", "Europe/Berlin")
    assert verbs(changed) == ["person.changed"]


@pytest.mark.parametrize("over", [{"roles": ["security"]}, {"team": "research"}, {"team": ""}])
def test_nobody_raises_or_moves_themselves(cast: Cast, over: dict[str, object]) -> None:
    with pytest.raises(RoleMissing):
        people.change_person(cast.alice, actor=actor(cast.alice), **over)  # type: ignore[arg-type]


def test_nobody_renames_somebody_else(cast: Cast) -> None:
    with pytest.raises(RoleMissing):
        people.change_person(cast.alice, actor=actor(cast.mallory), name="Mallory")


def test_a_change_of_roles_records_before_and_after(cast: Cast) -> None:
    people.change_person(cast.bob, actor=actor(cast.pat), roles=["auditor", "approver"])
    cast.bob.refresh_from_db()
    assert cast.bob.roles == ["employee", "approver", "auditor"]
    header = bytes(Entry.objects.get(subject=str(cast.bob.ref)).header)
    assert b'"roles_before":["employee"]' in header


def test_a_change_of_nothing_is_refused(cast: Cast) -> None:
    with pytest.raises(errors.NothingToChange):
        people.change_person(cast.bob, actor=actor(cast.pat), roles=["employee"])


def test_an_unknown_time_zone_is_refused(cast: Cast) -> None:
    with pytest.raises(errors.UnknownTimeZone):
        people.change_person(cast.bob, actor=actor(cast.bob), time_zone="Mars/Olympus")


def test_the_last_administrator_can_neither_go_nor_step_down(cast: Cast) -> None:
    people.ensure_bootstrap_token("b" * 40)  # an automation does not count
    with pytest.raises(errors.LastPlatformAdmin):
        people.deactivate_person(cast.pat, actor=actor(cast.pat))
    with pytest.raises(errors.LastPlatformAdmin):
        people.change_person(cast.pat, actor=actor(cast.pat), roles=["employee"])
    make_person("paul", "platform")
    people.change_person(cast.pat, actor=actor(cast.pat), roles=["employee"])


@pytest.mark.django_db(transaction=True)
def test_two_administrators_who_demote_each_other_leave_one() -> None:
    pat, paul = make_person("pat", "platform"), make_person("paul", "platform")
    together = threading.Barrier(2)
    outcomes: list[str] = []

    def demote(who: Person, whom: Person) -> None:
        together.wait()
        try:
            people.change_person(whom, actor=actor(who), roles=["employee"])
            outcomes.append("done")
        except errors.LastPlatformAdmin:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=demote, args=pair) for pair in ((pat, paul), (paul, pat))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert sorted(outcomes) == ["done", "refused"]
    assert Person.objects.filter(roles__contains=["platform"]).count() == 1


def test_deactivating_ends_tokens_links_and_passwords_and_names_the_agents(cast: Cast) -> None:
    make_agent("sorter", owner=cast.alice)
    make_agent("answerer", owner=cast.alice, stage="live")
    make_agent("gone", owner=cast.alice, stage="retired")
    cast.alice.set_password("correct horse battery")
    cast.alice.save(update_fields=["password"])
    session_hash = cast.alice.get_session_auth_hash()
    token, _ = make_token(cast.alice)
    people.issue_sign_in_link(cast.alice, actor=actor(cast.pat))

    result = people.deactivate_person(cast.alice, actor=actor(cast.pat))

    assert result.owned_agents == ["answerer", "sorter"]
    token.refresh_from_db()
    cast.alice.refresh_from_db()
    assert token.revoked_at is not None
    assert not SignInLink.objects.exists()
    assert not cast.alice.is_active
    assert cast.alice.get_session_auth_hash() != session_hash
    assert verbs(cast.alice)[-2:] == ["token.revoked", "person.deactivated"]


def test_a_reactivated_person_gets_nothing_old_back(cast: Cast) -> None:
    token, _ = make_token(cast.bob)
    people.deactivate_person(cast.bob, actor=actor(cast.pat))
    people.reactivate_person(cast.bob, actor=actor(cast.pat))
    cast.bob.refresh_from_db()
    assert cast.bob.is_active
    assert PersonToken.objects.get(pk=token.pk).revoked_at is not None


def test_deactivating_twice_is_refused_and_recorded_once(cast: Cast) -> None:
    people.deactivate_person(cast.bob, actor=actor(cast.pat))
    with pytest.raises(errors.AlreadyDeactivated):
        people.deactivate_person(cast.bob, actor=actor(cast.pat))
    assert verbs(cast.bob).count("person.deactivated") == 1


def test_reactivating_somebody_active_is_refused(cast: Cast) -> None:
    with pytest.raises(errors.NotDeactivated):
        people.reactivate_person(cast.bob, actor=actor(cast.pat))


def test_a_deactivated_account_gets_no_roles_links_or_tokens(cast: Cast) -> None:
    people.deactivate_person(cast.bob, actor=actor(cast.pat))
    cast.bob.refresh_from_db()
    with pytest.raises(errors.AccountDeactivated):
        people.change_person(cast.bob, actor=actor(cast.pat), roles=["platform"])
    with pytest.raises(errors.AccountDeactivated):
        people.issue_sign_in_link(cast.bob, actor=actor(cast.pat))
    with pytest.raises(errors.AccountDeactivated):
        people.issue_token(
            cast.bob, actor=actor(cast.pat), name="x", roles=["employee"], expires_in_days=1
        )


def test_a_team_is_added_once(cast: Cast) -> None:
    team = people.add_team("Customer Care", actor=actor(cast.pat))
    assert team.slug == "customer-care"
    with pytest.raises(errors.TeamTaken):
        people.add_team("customer care", actor=actor(cast.pat))
    with pytest.raises(RoleMissing):
        people.add_team("Mine", actor=actor(cast.alice))
    with pytest.raises(errors.NameNotUsable):
        people.add_team("日本", actor=actor(cast.pat))


def test_the_operator_ensures_a_person_with_team_and_roles(db: None) -> None:
    first = people.ensure_person("new@acme.test", actor=operator(), roles=["security"], team="Risk")
    again = people.ensure_person("NEW@acme.test", actor=operator(), roles=["auditor"], team="Risk")
    same = people.ensure_person("new@acme.test", actor=operator(), roles=["auditor"])
    assert first.pk == again.pk == same.pk
    assert again.roles == ["employee", "security", "auditor"]
    assert again.team is not None
    assert again.team.slug == "risk"
    assert verbs(again) == ["person.added", "person.changed"]
    actors = set(Entry.objects.values_list("actor", flat=True))
    assert actors == {"system:operator"}


def test_unknown_roles_are_refused_by_the_database_too(cast: Cast) -> None:
    with pytest.raises(IntegrityError, match="known_roles"), transaction.atomic():
        connection.cursor().execute("UPDATE registry_person SET roles = '{root}'")


def test_a_team_is_found_by_slug_and_by_public_id(db: None) -> None:
    from registry.queries import team_for

    team = make_team("Ops")
    assert team_for("ops") == team_for(team.public_id) == team


def test_why_an_account_was_closed_is_on_record(cast: Cast) -> None:
    people.deactivate_person(cast.bob, actor=actor(cast.pat), reason=" Left the company. ")
    entry = Entry.objects.get(verb="person.deactivated", subject=str(cast.bob.ref))
    assert json.loads(bytes(entry.header))["facts"]["reason"] == "Left the company."
