"""Watches and plans of probes over REST: listed, begun, changed, acted on, and what was asked."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from fleet.drift.actions import planning
from fleet.drift.models import Change, Probe, ProbePlan, Watch
from fleet.drift.queries.plans import plan_for, plans_for, probes_of, spent_of
from fleet.drift.queries.watches import every_change_for, watches_for
from kernel import clock
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from registry.queries.agents import agent_inside_for
from routing.queries.vendors import model_for


class PlanInput(Input):
    """When cases are asked, which, and for how much a month."""

    cron = Text(max_length=100, help_text="Five fields, such as 0 6 * * 1-5.")
    zone = Text(max_length=60, required=False, default="UTC")
    cap_micros = serializers.IntegerField(min_value=1, max_value=10**15)
    cases = serializers.ListField(
        child=Text(max_length=63), required=False, max_length=20, default=list
    )


class NewPlanInput(PlanInput):
    """A new plan: whose cases, of which model, by which route."""

    agent = Text(max_length=80)
    model = Text(max_length=80, help_text="A model's id, mod_…")
    route = Text(max_length=100, required=False, allow_blank=True, default="")


class PlanActInput(Input):
    """What is done with a plan."""

    do = serializers.ChoiceField(choices=["ask", "pause", "resume", "end", "accept"])


class WatchOutput(serializers.ModelSerializer[Watch]):
    """A route and the model that serves it."""

    id = serializers.CharField(source="public_id")

    class Meta:
        model = Watch
        fields = ("id", "route", "vendor", "model", "first_at", "last_at")


class ProbePlanOutput(serializers.ModelSerializer[ProbePlan]):
    """A plan of probes."""

    id = serializers.CharField(source="public_id")
    watch = serializers.CharField(source="watch.public_id")
    agent = serializers.CharField(source="agent.name")
    route = serializers.CharField(source="watch.route")
    vendor = serializers.CharField(source="watch.vendor")
    model = serializers.CharField(source="watch.model")
    waits_for = serializers.CharField(source="waits")
    spent_micros = serializers.SerializerMethodField()

    class Meta:
        model = ProbePlan
        fields = (
            "id", "watch", "agent", "route", "vendor", "model", "cron", "zone", "cases",
            "cap_micros", "spent_micros", "state", "waits_for", "since", "next_at", "asked_at",
            "added_by", "added_at", "ended_at",
        )  # fmt: skip

    def get_spent_micros(self, plan: ProbePlan) -> int:
        return spent_of(plan, clock.now())


class ProbeOutput(serializers.ModelSerializer[Probe]):
    """One golden case, asked once; what was said is read in the agent's run, on record."""

    id = serializers.CharField(source="public_id")
    round = serializers.CharField(source="round.public_id")
    golden = serializers.CharField(source="golden.public_id")
    name = serializers.CharField(source="golden.name")
    entry = serializers.CharField(source="entry_id")

    class Meta:
        model = Probe
        fields = (
            "id", "round", "golden", "name", "status", "error", "holds", "fault", "entry",
            "reported_model", "is_substituted", "fingerprint", "duration_ms", "held_micros",
            "cost_micros", "asked_at",
        )  # fmt: skip


class DriftChangeOutput(serializers.ModelSerializer[Change]):
    """That a figure of a watch changed."""

    id = serializers.CharField(source="public_id")
    watch = serializers.CharField(source="watch.public_id")
    route = serializers.CharField(source="watch.route")
    vendor = serializers.CharField(source="watch.vendor")
    model = serializers.CharField(source="watch.model")

    class Meta:
        model = Change
        fields = (
            "id", "watch", "route", "vendor", "model", "figure", "before", "after", "calls",
            "said", "seen_at", "over_at",
        )  # fmt: skip


class PlanQuery(ListQuery):
    """Which plans to list."""

    state = serializers.ChoiceField(choices=ProbePlan.State.choices, required=False)


class ChangeQuery(ListQuery):
    """Which changes to list."""

    standing = serializers.BooleanField(required=False, default=False)
    watch = Text(required=False, max_length=80)


_WATCHES: Final = Listing(ListQuery, search=("route", "vendor", "model"), ordering=("last_at",))
_PLANS: Final = Listing(
    PlanQuery, search=("agent__name", "watch__route", "watch__model"), ordering=("added_at",)
)
_PROBES: Final = Listing(ListQuery, search=("golden__name",), ordering=("asked_at",))
_CHANGES: Final = Listing(
    ChangeQuery, search=("watch__route", "watch__vendor", "watch__model"), ordering=("seen_at",)
)
_ACTS: Final[dict[str, Any]] = {
    "ask": planning.ask_now,
    "pause": planning.pause_plan,
    "resume": planning.resume_plan,
    "end": planning.end_plan,
    "accept": planning.accept_changes,
}


class Watches(APIView):
    """What is watched."""

    @extend_schema(
        operation_id="watches_list", parameters=[ListQuery], responses=page_of(WatchOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _WATCHES.read(request), watches_for(actor_of(request))
        return _WATCHES.answer(request, rows, lambda page: WatchOutput(page, many=True).data, asked)


class DriftChanges(APIView):
    """What changed of watches."""

    @extend_schema(
        operation_id="drift_changes_list",
        parameters=[ChangeQuery],
        responses=page_of(DriftChangeOutput),
    )
    def get(self, request: Request) -> Response:
        asked = _CHANGES.read(request)
        rows = every_change_for(actor_of(request))
        if asked["standing"]:
            rows = rows.filter(over_at__isnull=True)
        if "watch" in asked:
            rows = rows.filter(watch__public_id=asked["watch"])
        return _CHANGES.answer(
            request, rows, lambda page: DriftChangeOutput(page, many=True).data, asked
        )


class ProbePlans(APIView):
    """Plans of probes that the viewer may see, and the way to begin one."""

    @extend_schema(
        operation_id="probe_plans_list", parameters=[PlanQuery], responses=page_of(ProbePlanOutput)
    )
    def get(self, request: Request) -> Response:
        asked = _PLANS.read(request)
        rows = plans_for(actor_of(request), ended=asked.get("state") == "ended")
        if "state" in asked:
            rows = rows.filter(state=asked["state"])
        return _PLANS.answer(
            request, rows, lambda page: ProbePlanOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="probe_plans_add", request=NewPlanInput, responses={201: ProbePlanOutput}
    )
    def post(self, request: Request) -> Response:
        read = NewPlanInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor, given = actor_of(request), dict(read.validated_data)
        agent = agent_inside_for(actor, given.pop("agent"))
        model, route = model_for(actor, given.pop("model")), given.pop("route")
        plan = planning.add_plan(
            agent, model, planning.PlanDraft(**given), actor=actor, route=route
        )
        place = f"/api/v1/probe-plans/{plan.public_id}"
        return Response(ProbePlanOutput(plan).data, 201, headers={"Location": place})


class OneProbePlan(APIView):
    """One plan."""

    @extend_schema(operation_id="probe_plans_read", responses=ProbePlanOutput)
    def get(self, request: Request, plan: str) -> Response:
        return Response(ProbePlanOutput(plan_for(actor_of(request), plan)).data)

    @extend_schema(operation_id="probe_plans_change", request=PlanInput, responses=ProbePlanOutput)
    def put(self, request: Request, plan: str) -> Response:
        read = PlanInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor = actor_of(request)
        draft = planning.PlanDraft(**read.validated_data)
        return Response(
            ProbePlanOutput(planning.change_plan(plan_for(actor, plan), draft, actor=actor)).data
        )

    @extend_schema(operation_id="probe_plans_act", request=PlanActInput, responses=ProbePlanOutput)
    def post(self, request: Request, plan: str) -> Response:
        """Ask now, pause, resume, end, or take what is seen as the usual."""
        read = PlanActInput(data=request.data)
        read.is_valid(raise_exception=True)
        actor = actor_of(request)
        _ACTS[read.validated_data["do"]](plan_for(actor, plan), actor=actor)
        return Response(ProbePlanOutput(plan_for(actor, plan)).data)


class ProbesOfPlan(APIView):
    """What a plan asked, the newest first."""

    @extend_schema(
        operation_id="probe_plans_probes", parameters=[ListQuery], responses=page_of(ProbeOutput)
    )
    def get(self, request: Request, plan: str) -> Response:
        asked = _PROBES.read(request)
        rows = probes_of(plan_for(actor_of(request), plan))
        return _PROBES.answer(request, rows, lambda page: ProbeOutput(page, many=True).data, asked)


urlpatterns = [
    path("watches", Watches.as_view(), name="watches"),
    path("drift-changes", DriftChanges.as_view(), name="drift-changes"),
    path("probe-plans", ProbePlans.as_view(), name="probe-plans"),
    path("probe-plans/<str:plan>", OneProbePlan.as_view(), name="probe-plan"),
    path("probe-plans/<str:plan>/probes", ProbesOfPlan.as_view(), name="probe-plan-probes"),
]
