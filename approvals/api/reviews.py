"""Reviews over REST: what waits, what was asked, the answer, the change of mind.

Owns the wire only; who may see and decide is asked of queries and actions.
"""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from approvals import actions as act
from approvals.models import Review, ReviewDecision
from approvals.queries import decisions_of, review_for, reviews_for, waiting_for
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.actors import Actor
from registry.authentication import actor_of


class DecisionOutput(serializers.Serializer[Any]):
    """One person's answer."""

    decider = serializers.EmailField(source="decider.email")
    in_place_of = serializers.EmailField(source="on_behalf_of.email", default=None)
    decision = serializers.ChoiceField(choices=ReviewDecision.Decision.choices)
    comment = serializers.CharField()
    digest = serializers.CharField()
    is_edited = serializers.BooleanField()
    created_at = serializers.DateTimeField()


class ReviewOutput(serializers.Serializer[Any]):
    """A question put to people, and how it stands."""

    id = serializers.CharField(source="public_id")
    kind = serializers.CharField()
    state = serializers.CharField(source="standing")
    subject = serializers.CharField()
    agent = serializers.CharField(source="subject_name")
    question = serializers.CharField()
    justification = serializers.CharField()
    digest = serializers.CharField(source="asked_digest")
    requester = serializers.EmailField(source="requester.email")
    asked_by = serializers.CharField()
    operation = serializers.CharField()
    stakes = serializers.CharField()
    audience = serializers.ListField(child=serializers.CharField())
    required_role = serializers.CharField(help_text="The first role of the audience, or empty.")
    escalates_at = serializers.DateTimeField(allow_null=True)
    escalate_to = serializers.ListField(child=serializers.CharField())
    quorum = serializers.IntegerField()
    decisions = serializers.SerializerMethodField()
    may_decide = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    settled_at = serializers.DateTimeField(allow_null=True)
    url = serializers.SerializerMethodField()

    def get_decisions(self, review: Review) -> list[dict[str, Any]]:
        return list(DecisionOutput(self.context["decisions"][review.pk], many=True).data)

    def get_may_decide(self, review: Review) -> bool:
        return review.pk in self.context["waiting"]

    def get_url(self, review: Review) -> str:
        return f"{settings.PUBLIC_URL}/reviews/{review.public_id}/"


class ReviewDetailOutput(ReviewOutput):
    """A question with what the deciders are shown."""

    evidence = serializers.JSONField()


class ReviewsQuery(ListQuery):
    """The query of the list of reviews."""

    state = serializers.ChoiceField(choices=Review.State.choices, required=False)
    kind = Text(required=False, max_length=60)
    agent = Text(required=False, max_length=80)
    waiting = serializers.BooleanField(
        required=False, allow_null=True, default=None, help_text="Only what waits for me."
    )


class DecisionInput(Input):
    """An answer; a rejection needs a comment, and only an approval edits."""

    decision = serializers.ChoiceField(choices=ReviewDecision.Decision.choices)
    comment = Text(required=False, allow_blank=True, max_length=4000)
    digest = Text(required=False, max_length=80, help_text="Of what you saw; 409 if it changed.")
    edited_arguments = serializers.DictField(
        required=False, help_text="What the arguments become; only with an approval."
    )


class WithdrawalInput(Input):
    """Why the question is taken back."""

    reason = Text(required=False, allow_blank=True, max_length=4000)


class SubmissionInput(Input):
    """Why this agent is needed, beside those that resemble it."""

    justification = Text(required=False, allow_blank=True, max_length=4000)


class PromotionInput(SubmissionInput):
    """What the soft launch has shown, and why less than the minimum is enough."""

    exception = Text(
        required=False,
        allow_blank=True,
        max_length=4000,
        help_text="Why it should be live although its soft launch has shown less than the minimum.",
    )


_REVIEWS: Final = Listing(
    ReviewsQuery,
    search=("subject_name", "question", "justification", "requester__email"),
    ordering=("created_at", "expires_at"),
)


class Reviews(APIView):
    """The reviews that this viewer may see."""

    @extend_schema(
        operation_id="reviews_list", parameters=[ReviewsQuery], responses=page_of(ReviewOutput)
    )
    def get(self, request: Request) -> Response:
        actor, asked = actor_of(request), _REVIEWS.read(request)
        rows = waiting_for(actor) if asked["waiting"] else reviews_for(actor)
        for given, column in (("state", "standing"), ("kind", "kind"), ("agent", "subject_name")):
            if given in asked:
                rows = rows.filter(**{column: asked[given]})
        return _REVIEWS.answer(
            request,
            rows,
            lambda page: ReviewOutput(page, many=True, context=_seen(page, actor)).data,
            asked,
        )


class OneReview(APIView):
    """One review with its evidence."""

    @extend_schema(responses=ReviewDetailOutput)
    def get(self, request: Request, review: str) -> Response:
        return _shown(review, actor_of(request))


class Decisions(APIView):
    """The answers to a review."""

    @extend_schema(request=DecisionInput, responses=ReviewDetailOutput)
    def post(self, request: Request, review: str) -> Response:
        actor = actor_of(request)
        said = _said(DecisionInput, request)
        edited = said.pop("edited_arguments", None)
        decided = act.decide_review(review, actor=actor, edited=edited, **said)
        return _shown(decided.public_id, actor)


class Withdrawal(APIView):
    """The asker's change of mind."""

    @extend_schema(request=WithdrawalInput, responses=ReviewDetailOutput)
    def post(self, request: Request, review: str) -> Response:
        actor = actor_of(request)
        withdrawn = act.withdraw_review(review, actor=actor, **_said(WithdrawalInput, request))
        return _shown(withdrawn.public_id, actor)


class Submission(APIView):
    """Ask for a draft to run, or for a proposed version to take effect."""

    @extend_schema(request=SubmissionInput, responses={201: ReviewDetailOutput})
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        review = act.submit_agent(name, actor=actor, **_said(SubmissionInput, request))
        return _shown(review.public_id, actor, status=201)


class PromotionRequest(APIView):
    """Ask for an agent in soft launch to act on its own."""

    @extend_schema(request=PromotionInput, responses={201: ReviewDetailOutput})
    def post(self, request: Request, name: str) -> Response:
        actor = actor_of(request)
        given = {"justification": ""} | _said(PromotionInput, request)
        review = act.request_promotion(name, actor=actor, **given)
        return _shown(review.public_id, actor, status=201)


def _said(body: type[Input], request: Request) -> dict[str, Any]:
    read = body(data=request.data)
    read.is_valid(raise_exception=True)
    values: dict[str, Any] = read.validated_data
    return values


def _seen(page: list[Review], actor: Actor) -> dict[str, Any]:
    """Return what a page of reviews needs beside its rows: two queries, however long it is."""
    ids = [review.pk for review in page]
    waiting = waiting_for(actor).filter(pk__in=ids).values_list("pk", flat=True)
    return {"decisions": decisions_of(page), "waiting": set(waiting)}


def _shown(public_id: str, actor: Actor, status: int = 200) -> Response:
    review = review_for(actor, public_id)
    shown = ReviewDetailOutput(review, context=_seen([review], actor))
    return Response(shown.data, status=status)


urlpatterns = [
    path("reviews", Reviews.as_view(), name="reviews"),
    path("reviews/<str:review>", OneReview.as_view(), name="review"),
    path("reviews/<str:review>/decisions", Decisions.as_view(), name="review-decisions"),
    path("reviews/<str:review>/withdraw", Withdrawal.as_view(), name="review-withdraw"),
    path("agents/<str:name>/submit", Submission.as_view(), name="agent-submit"),
    path("agents/<str:name>/promote", PromotionRequest.as_view(), name="agent-promote"),
]
