"""Registering an agent: by questions, by a manifest, or from the shell.

While somebody writes, the page shows the agents most like theirs, so that reuse comes
before another of the same; nothing is stored until they press the button.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from fleet.forms.registration import ManifestForm, Offer, RegistrationForm, suggested_name
from fleet.handed import Handed, handed_in, problems_of
from fleet.queries.offers import RouteOffer, route_offers
from fleet.snippets import Snippet
from kernel.errors import Conflict, Denied, DomainError, Invalid, TooLarge
from registry.actions.agents import register_agent
from registry.actors import Actor
from registry.manifest import Manifest, manifest_of
from registry.manifest.writing import to_yaml
from registry.models import Person, Role
from registry.portal import sentence, signed_in
from registry.queries import agents_for, people_for, teams_for
from registry.queries.references import data_classes
from registry.similarity import Similar, similar_to

_WAYS: Final = (
    ("form", "Answer questions"),
    ("yaml", "Hand in agent.yaml"),
    ("shell", "From the shell"),
)
_REFUSALS: Final = (Invalid, Conflict, Denied, TooLarge)
# What a class of data means to somebody who has never heard of classes of data.
CLASS_WORDS: Final = {
    "public": "Anybody may read it: the website, price lists, published reports.",
    "internal": "For colleagues: wikis, tickets, plans, figures without names.",
    "confidential": "For few: contracts, prices under negotiation, source code, strategy.",
    "personal": "About people: names, addresses, CVs, customer messages.",
    "regulated": "Under a law of its own: health, payment cards, bank secrecy.",
}


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def register(request: HttpRequest, actor: Actor) -> HttpResponseBase:
    """Show the ways in, and take what was answered or handed in."""
    actor.require(Role.EMPLOYEE, Role.PLATFORM)
    if request.method == "POST":
        by_text = request.POST.get("way") == "yaml"
        return _take_text(request, actor) if by_text else _take_answers(request, actor)
    way = request.GET.get("way", "form")
    return _shown(request, actor, way if way in dict(_WAYS) else "form")


@signed_in
@require_POST
def check(request: HttpRequest, actor: Actor) -> HttpResponse:
    """Answer what the answers so far amount to: whom it resembles, its name, its manifest."""
    offers = route_offers(actor)
    form = _form(request.POST, actor, offers)
    form.is_valid()
    document = form.document()
    name = document["metadata"].get("name", "")
    context = {
        "similar": _similar(document, actor),
        "yaml": to_yaml(document),
        "name": name,
        "taken": agents_for(actor).filter(name=name).first() if name else None,
        "warnings": _mismatches(form, offers),
    }
    return render(request, "fleet/_register_check.html", context)


def _take_answers(request: HttpRequest, actor: Actor) -> HttpResponse:
    offers = route_offers(actor)
    form = _form(request.POST, actor, offers)
    if form.is_valid():
        try:
            return _registered(request, actor, manifest_of(form.document()), "form")
        except _REFUSALS as error:
            problems: Any = error.facts.get("errors")
            if isinstance(problems, list):
                form.take_problems(problems)
            else:
                field = "name" if error.code == "registry.name_taken" else None
                form.add_error(field, sentence(error))
    return _shown(request, actor, "form", status=422, form=form, offers=offers)


def _take_text(request: HttpRequest, actor: Actor) -> HttpResponse:
    form = ManifestForm(request.POST, request.FILES)
    problems: list[dict[str, Any]] = []
    if form.is_valid():
        handed = handed_in(form)
        try:
            return _registered(request, actor, handed.manifest(), handed.source)
        except _REFUSALS as error:
            form, problems = _refused(handed, error)
    return _shown(request, actor, "yaml", status=422, text_form=form, problems=problems)


def _refused(handed: Handed, error: DomainError) -> tuple[ManifestForm, list[dict[str, Any]]]:
    form, problems = handed.form_again(), problems_of(error, handed.text)
    if not problems:
        form.add_error(None, sentence(error))
    return form, problems


def _registered(
    request: HttpRequest, actor: Actor, manifest: Manifest, source: str
) -> HttpResponse:
    done = register_agent(manifest, actor=actor, source=source)
    if done.created:
        messages.success(request, f"{done.agent.title} is registered, as a draft.")
    else:
        messages.info(
            request, f"{done.agent.title} is registered already, with this very manifest."
        )
    return redirect("registry:agent", done.agent.name)


def _form(data: QueryDict | None, actor: Actor, offers: list[RouteOffer]) -> RegistrationForm:
    person = _person(actor)
    offer = Offer(
        data_classes=data_classes(),
        routes=[each.name for each in offers],
        teams=teams_for(actor).order_by("name"),
        owner=person,
        may_name_owner=actor.has(Role.PLATFORM),
    )
    initial = {"owner": person.email}
    if len(offers) == 1:
        initial["routes"] = [offers[0].name]  # type: ignore[assignment]
    return RegistrationForm(data, offer=offer, initial=initial)


def _shown(
    request: HttpRequest, actor: Actor, way: str, *, status: int = 200, **given: Any
) -> HttpResponse:
    here = reverse("registry:register")
    context: dict[str, Any] = {
        "way": way,
        "tabs": [
            {"label": label, "url": f"{here}?way={name}", "is_current": name == way}
            for name, label in _WAYS
        ],
        "text_form": ManifestForm(),
        "problems": [],
    } | given
    if way == "form":
        offers = context.pop("offers", None) or route_offers(actor)
        form = context.setdefault("form", _form(None, actor, offers))
        context |= _choices(form, offers) | {"colleagues": _colleagues(actor)}
        if form.is_bound:
            document = form.document()
            context |= {"similar": _similar(document, actor), "yaml": to_yaml(document)}
            context["warnings"] = _mismatches(form, offers)
    else:
        example = _example(_person(actor))
        context |= {"example": example, "snippets": _shell(example)}
    return render(request, "fleet/register.html", context, status=status)


def _choices(form: RegistrationForm, offers: list[RouteOffer]) -> dict[str, Any]:
    classes = form["data_classes"].value() or []
    routes = form["routes"].value() or []
    return {
        "class_cards": [
            (name, CLASS_WORDS.get(name, ""), name in classes) for name in form.offer.data_classes
        ],
        "route_cards": [(offer, offer.name in routes) for offer in offers],
    }


def _colleagues(actor: Actor) -> list[Person]:
    """Return whom to offer as a backup owner first: the own team."""
    person = _person(actor)
    people = people_for(actor).filter(deactivated_at__isnull=True).exclude(pk=person.pk)
    if person.team is not None:
        people = people.filter(team=person.team)
    return list(people.order_by("name", "email")[:20])


def _similar(document: dict[str, Any], actor: Actor) -> list[Similar]:
    metadata, spec = document["metadata"], document["spec"]
    if not (metadata.get("title") or metadata.get("description")):
        return []
    written = {"name": "", "title": "", "description": ""} | metadata
    given = Manifest({"metadata": written, "spec": {"dataClasses": [], "models": []} | spec})
    person = _person(actor)
    return similar_to(given, team=person.team)


def _mismatches(form: RegistrationForm, offers: list[RouteOffer]) -> list[str]:
    said = form.cleaned_data
    found = []
    for offer in offers:
        if offer.name not in (said.get("routes") or []):
            continue
        if lacking := offer.lacks(said.get("data_classes") or []):
            found.append(
                f"The route {offer.name} takes no {' or '.join(lacking)} data: such calls will be"
                " refused. Choose another route, or ask the platform team."
            )
    return found


def _person(actor: Actor) -> Person:
    if actor.person is None:
        raise Denied("Only a person registers by a form.")
    return actor.person


def _example(person: Person) -> str:
    return to_yaml(
        {
            "apiVersion": "unsprawl.dev/v1",
            "kind": "Agent",
            "metadata": {
                "name": suggested_name("Invoice sorter"),
                "title": "Invoice sorter",
                "description": "Reads incoming invoices and sorts them by cost centre.",
            },
            "spec": {
                "version": "1.0.0",
                "owner": f"user:{person.email}",
                "backupOwner": "user:colleague@example.com",
                "dataClasses": ["internal"],
                "models": [{"alias": "default", "route": "sandbox"}],
            },
        }
    )


def _shell(example: str) -> list[Snippet]:
    api = f"{settings.PUBLIC_URL}/api/v1"
    return [
        Snippet(
            "curl",
            f'curl {api}/agents \\\n  -H "Authorization: Bearer $UNSPRAWL_TOKEN" \\\n'
            '  -H "Content-Type: application/yaml" \\\n  --data-binary @agent.yaml',
            "With an API token of yours, made on your account's page.",
        ),
        Snippet(
            "Python",
            "import os\nimport pathlib\n\nimport requests\n\n"
            f'answer = requests.post(\n    "{api}/agents",\n'
            '    data=pathlib.Path("agent.yaml").read_bytes(),\n'
            '    headers={\n        "Authorization": f"Bearer {os.environ[\'UNSPRAWL_TOKEN\']}",\n'
            '        "Content-Type": "application/yaml",\n    },\n    timeout=30,\n)\n'
            'answer.raise_for_status()\nprint(answer.json()["links"]["page"])',
            "pip install requests",
        ),
        Snippet(
            "On the server",
            "python manage.py register -f agent.yaml",
            "For whoever runs this installation.",
        ),
    ]
