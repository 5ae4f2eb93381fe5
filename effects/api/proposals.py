"""Proposals over REST: agents propose with their key, and people read what they may see.

Owns the wire only: who may see, what is refused and what happens is asked elsewhere.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from effects.actions.proposing import Wanted, propose
from effects.actions.withdrawing import withdraw_proposal
from effects.models import Operation, Proposal
from effects.queries.proposals import proposal_for, proposals_for
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import (
    AgentKeyAuthentication,
    SessionAuthentication,
    TokenOrKeyAuthentication,
    actor_of,
)

_EITHER: Final = (TokenOrKeyAuthentication, SessionAuthentication)


class ActionInput(Input):
    """What is to be done: the destination is the connection's, never the request's."""

    adapter = Text(max_length=40)
    target = Text(max_length=130, help_text="connection.operation, such as erp.post-entry.")
    arguments = serializers.DictField(help_text="As the operation's JSON Schema has them.")


class ProposalInput(Input):
    """One action, and the key under which it may be sent again."""

    run = Text(
        required=False, allow_blank=True, default="", max_length=200,
        help_text="A label of the agent's own, or the id of a run of its own.",
    )  # fmt: skip
    action = ActionInput()
    idempotency_key = Text(max_length=200, trim_whitespace=False)


class ProposalOutput(serializers.Serializer[Any]):
    """An action and how it stands. Its arguments are read on its page, on record."""

    id = serializers.CharField(source="public_id")
    state = serializers.SerializerMethodField()
    agent = serializers.CharField(source="agent.name")
    run = serializers.CharField(source="run_id")
    adapter = serializers.CharField(source="operation.connection.adapter")
    target = serializers.CharField(source="operation.target")
    effect = serializers.ChoiceField(source="operation.effect", choices=Operation.Effect.choices)
    rule = serializers.CharField()
    reason = serializers.CharField()
    decided_by = serializers.CharField(source="decided_how")
    edited = serializers.SerializerMethodField()
    digest = serializers.SerializerMethodField()
    idempotency_key = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    decided_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField()
    review_url = serializers.SerializerMethodField()

    def get_state(self, proposal: Proposal) -> str:
        return str(getattr(proposal, "standing", proposal.state))

    def get_edited(self, proposal: Proposal) -> bool:
        return proposal.edited_count is not None

    def get_digest(self, proposal: Proposal) -> str:
        return proposal.decided_digest or proposal.action_digest

    def get_url(self, proposal: Proposal) -> str:
        return f"{settings.PUBLIC_URL}/proposals/{proposal.public_id}/"

    def get_review_url(self, proposal: Proposal) -> str | None:
        if not proposal.review_id:
            return None
        return f"{settings.PUBLIC_URL}/reviews/{proposal.review_id}/"


class ProposalsQuery(ListQuery):
    """The query of the list of proposals."""

    state = serializers.ChoiceField(choices=Proposal.State.choices, required=False)
    agent = Text(required=False, max_length=80)
    operation = Text(required=False, max_length=130, help_text="connection.operation")
    run = Text(required=False, max_length=80)


_PROPOSALS: Final = Listing(
    ProposalsQuery,
    search=("public_id", "agent__name", "operation__name", "operation__connection__name", "rule"),
    ordering=("created_at", "expires_at"),
)


class Proposals(APIView):
    """What agents asked to do."""

    def get_authenticators(self) -> list[BaseAuthentication]:
        if getattr(self.request, "method", "") == "POST":
            return [AgentKeyAuthentication()]
        return [each() for each in _EITHER]

    @extend_schema(
        operation_id="proposals_list",
        parameters=[ProposalsQuery],
        responses=page_of(ProposalOutput),
    )
    def get(self, request: Request) -> Response:
        asked = _PROPOSALS.read(request)
        rows = proposals_for(actor_of(request))
        for given, column in (("state", "standing"), ("agent", "agent__name"), ("run", "run_id")):
            if given in asked:
                rows = rows.filter(**{column: asked[given]})
        if "operation" in asked:
            place, _, name = asked["operation"].partition(".")
            rows = rows.filter(operation__connection__name=place, operation__name=name)
        return _PROPOSALS.answer(
            request, rows, lambda page: ProposalOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="proposals_make",
        request=ProposalInput,
        responses={200: ProposalOutput, 202: ProposalOutput},
        auth=["agentKey"],
    )
    def post(self, request: Request) -> Response:
        """Propose an action. 202 while it waits; 200 once decided, or when it was known."""
        read = ProposalInput(data=request.data)
        read.is_valid(raise_exception=True)
        asked, actor = read.validated_data, actor_of(request)
        # The arguments as they came: a reader of fields would make other values of them.
        sent: Any = request.data
        wanted = Wanted(
            adapter=asked["action"]["adapter"],
            target=asked["action"]["target"],
            arguments=sent["action"]["arguments"],
            idempotency_key=asked["idempotency_key"],
            run=asked["run"],
        )
        key: Any = request.auth
        made, is_new = propose(wanted, key=key, actor=actor)
        waits = is_new and made.state == Proposal.State.PROPOSED
        # What was made just now is the agent's own, and stands as it was made.
        shown = made if is_new else proposal_for(actor, made.public_id)
        return Response(_without_nothing(shown), status=202 if waits else 200)


class OneProposal(APIView):
    """One proposal, for the agent that asked and the people who may see it."""

    authentication_classes = _EITHER

    @extend_schema(responses=ProposalOutput)
    def get(self, request: Request, proposal: str) -> Response:
        return Response(_without_nothing(proposal_for(actor_of(request), proposal)))

    @extend_schema(operation_id="proposal_take_back", responses=ProposalOutput)
    def delete(self, request: Request, proposal: str) -> Response:
        """Withdraw what waits, or was approved and not begun."""
        actor = actor_of(request)
        withdraw_proposal(proposal, actor=actor)
        return Response(_without_nothing(proposal_for(actor, proposal)))


class Withdrawal(APIView):
    """The agent's, or its owner's, change of mind."""

    authentication_classes = _EITHER

    @extend_schema(operation_id="proposal_withdraw", request=None, responses=ProposalOutput)
    def post(self, request: Request, proposal: str) -> Response:
        return OneProposal().delete(request, proposal)


def _without_nothing(proposal: Proposal) -> dict[str, Any]:
    shown = dict(ProposalOutput(proposal).data)
    return {name: value for name, value in shown.items() if (name, value) != ("review_url", None)}


urlpatterns = [
    path("proposals", Proposals.as_view(), name="proposals"),
    path("proposals/<str:proposal>", OneProposal.as_view(), name="proposal"),
    path("proposals/<str:proposal>/withdraw", Withdrawal.as_view(), name="proposal-withdraw"),
]
