"""Channels over REST: set up, tried, paused, watched; and the two doors for signed answers.

The doors take no session and no token: a signature over the raw body says who asks, and what is
not signed is refused before anything is read or stored.
"""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import parsers, permissions, serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from approvals.actions import arriving
from approvals.actions import channels as act
from approvals.actions.channels import Issued, WantedChannel
from approvals.channels.errors import RequestUnreadable
from approvals.channels.reading import channel_for, channels_seen_by, notice_for, notices_of
from approvals.models import Channel, Notice
from approvals.models.channel import ANY_EFFECT, EFFECTS
from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of

_WORDS: Final[dict[str, Any]] = {"required": False, "default": list}
_EFFECT: Final = (*EFFECTS, "")


class ChannelInput(Input):
    """A place that is told of reviews: where, of which, and how much of each."""

    name = Text(max_length=63)
    kind = serializers.ChoiceField(choices=Channel.Kind.choices)
    address = Text(max_length=2048, required=False, allow_blank=True, default="")
    secret = Text(
        max_length=4096, required=False, allow_blank=True, default="", write_only=True,
        help_text="A Slack bot's token, or the URL of a Slack or Teams webhook. Never read back.",
    )  # fmt: skip
    signing_secret = Text(
        max_length=200, required=False, allow_blank=True, default="", write_only=True
    )
    place = Text(max_length=40, required=False, allow_blank=True, default="")
    workspace = Text(max_length=40, required=False, allow_blank=True, default="")
    carries = serializers.ChoiceField(
        choices=Channel.Carries.choices, required=False, default=Channel.Carries.TITLE
    )
    events = serializers.ListField(child=Text(max_length=20), **_WORDS)
    kinds = serializers.ListField(child=Text(max_length=30), **_WORDS)
    audience = serializers.ListField(child=Text(max_length=100), **_WORDS)
    agents = serializers.ListField(child=Text(max_length=80), **_WORDS)
    teams = serializers.ListField(child=Text(max_length=64), **_WORDS)
    tells = serializers.ListField(
        child=Text(max_length=40), help_text="Besides reviews: incident, campaign …; * for all.",
        **_WORDS,
    )  # fmt: skip
    min_effect = serializers.ChoiceField(
        choices=_EFFECT, required=False, default="", allow_blank=True
    )
    decides_up_to = serializers.ChoiceField(
        choices=(*_EFFECT, ANY_EFFECT), required=False, default="", allow_blank=True
    )

    def wanted(self) -> WantedChannel:
        """Return what is asked for."""
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.validated_data.items()
        }
        return WantedChannel(**given)


class ChannelWhyInput(Input):
    """Why."""

    reason = Text(max_length=1000, required=False, allow_blank=True, default="")


class RotationInput(Input):
    """Which secret: what we sign with, or what answers are signed with."""

    answers = serializers.BooleanField(required=False, default=False)


class ChannelOutput(serializers.Serializer[Any]):
    """A channel, without its secrets, and how it fares."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    state = serializers.CharField()
    address = serializers.CharField()
    place = serializers.CharField()
    workspace = serializers.CharField()
    carries = serializers.CharField()
    events = serializers.ListField(child=serializers.CharField())
    kinds = serializers.ListField(child=serializers.CharField())
    audience = serializers.ListField(child=serializers.CharField())
    agents = serializers.ListField(child=serializers.CharField())
    teams = serializers.ListField(child=serializers.CharField())
    tells = serializers.ListField(child=serializers.CharField())
    min_effect = serializers.CharField()
    decides_up_to = serializers.CharField()
    failure = serializers.CharField()
    failing_since = serializers.DateTimeField(allow_null=True)
    last_sent_at = serializers.DateTimeField(allow_null=True)
    added_at = serializers.DateTimeField()


class IssuedChannelOutput(ChannelOutput):
    """A channel with those of its secrets that are shown this once."""

    secret = serializers.SerializerMethodField()
    answers_secret = serializers.SerializerMethodField()

    def get_secret(self, _: Channel) -> str:
        return str(self.context["issued"].secret)

    def get_answers_secret(self, _: Channel) -> str:
        return str(self.context["issued"].answers_secret)


class NoticeOutput(serializers.Serializer[Any]):
    """One message: of what, to whom, and what became of it."""

    id = serializers.CharField(source="public_id")
    event = serializers.CharField()
    state = serializers.CharField()
    review = serializers.CharField(source="review.public_id", default=None, allow_null=True)
    person = serializers.EmailField(source="person.email", default=None, allow_null=True)
    attempts = serializers.IntegerField()
    failure = serializers.CharField()
    created_at = serializers.DateTimeField()
    again_at = serializers.DateTimeField()
    ended_at = serializers.DateTimeField(allow_null=True)


class NoticesQuery(ListQuery):
    """The query of a channel's messages."""

    state = serializers.ChoiceField(choices=Notice.State.choices, required=False)
    event = serializers.ChoiceField(choices=Notice.Event.choices, required=False)


_CHANNELS: Final = Listing(ListQuery, search=("name", "address"), ordering=("added_at", "name"))
_NOTICES: Final = Listing(
    NoticesQuery, search=("review__public_id", "person__email", "failure"), ordering=("created_at",)
)


class Channels(APIView):
    """The channels, and the way to add one."""

    @extend_schema(
        operation_id="channels_list", parameters=[ListQuery], responses=page_of(ChannelOutput)
    )
    def get(self, request: Request) -> Response:
        asked, rows = _CHANNELS.read(request), channels_seen_by(actor_of(request))
        return _CHANNELS.answer(
            request, rows, lambda page: ChannelOutput(page, many=True).data, asked
        )

    @extend_schema(
        operation_id="channels_add", request=ChannelInput, responses={201: IssuedChannelOutput}
    )
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), ChannelInput(data=request.data)
        read.is_valid(raise_exception=True)
        issued = act.add_channel(read.wanted(), actor=actor)
        return _issued(issued, status=201)


class OneChannel(APIView):
    """One channel."""

    @extend_schema(operation_id="channels_read", responses=ChannelOutput)
    def get(self, request: Request, channel: str) -> Response:
        return Response(ChannelOutput(channel_for(actor_of(request), channel)).data)

    @extend_schema(
        operation_id="channels_change", request=ChannelInput, responses=IssuedChannelOutput
    )
    def put(self, request: Request, channel: str) -> Response:
        actor, read = actor_of(request), ChannelInput(data=request.data)
        found = channel_for(actor, channel)
        read.is_valid(raise_exception=True)
        return _issued(act.change_channel(found, read.wanted(), actor=actor))

    @extend_schema(operation_id="channels_remove", request=None, responses={204: None})
    def delete(self, request: Request, channel: str) -> Response:
        actor = actor_of(request)
        act.remove_channel(channel_for(actor, channel), actor=actor)
        return Response(status=204)


class PauseChannel(APIView):
    """Send nothing and take nothing for a while; what comes meanwhile waits."""

    @extend_schema(operation_id="channels_pause", request=ChannelWhyInput, responses=ChannelOutput)
    def post(self, request: Request, channel: str) -> Response:
        actor, read = actor_of(request), ChannelWhyInput(data=request.data)
        found = channel_for(actor, channel)
        read.is_valid(raise_exception=True)
        return Response(
            ChannelOutput(act.pause_channel(found, actor=actor, **read.validated_data)).data
        )


class ResumeChannel(APIView):
    """Go on."""

    @extend_schema(operation_id="channels_resume", request=None, responses=ChannelOutput)
    def post(self, request: Request, channel: str) -> Response:
        actor = actor_of(request)
        found = act.resume_channel(channel_for(actor, channel), actor=actor)
        return Response(ChannelOutput(found).data)


class TryChannel(APIView):
    """Have the worker send a message that asks nothing; the list of messages says how it went."""

    @extend_schema(operation_id="channels_test", request=None, responses={202: NoticeOutput})
    def post(self, request: Request, channel: str) -> Response:
        actor = actor_of(request)
        notice = act.try_channel(channel_for(actor, channel), actor=actor)
        return Response(NoticeOutput(notice).data, status=202)


class RotateChannel(APIView):
    """Make a new secret of a signed webhook; the one before counts for a day more."""

    @extend_schema(
        operation_id="channels_rotate", request=RotationInput, responses=IssuedChannelOutput
    )
    def post(self, request: Request, channel: str) -> Response:
        actor, read = actor_of(request), RotationInput(data=request.data)
        found = channel_for(actor, channel)
        read.is_valid(raise_exception=True)
        return _issued(act.rotate_channel(found, actor=actor, **read.validated_data))


class Notices(APIView):
    """What a channel was told, and what did not arrive."""

    @extend_schema(
        operation_id="channels_notices",
        parameters=[NoticesQuery],
        responses=page_of(NoticeOutput),
    )
    def get(self, request: Request, channel: str) -> Response:
        actor = actor_of(request)
        rows, asked = notices_of(actor, channel_for(actor, channel)), _NOTICES.read(request)
        for name in ("state", "event"):
            if name in asked:
                rows = rows.filter(**{name: asked[name]})
        return _NOTICES.answer(
            request, rows, lambda page: NoticeOutput(page, many=True).data, asked
        )


class RetryNotice(APIView):
    """Send one message again."""

    @extend_schema(operation_id="channels_retry", request=None, responses={202: NoticeOutput})
    def post(self, request: Request, channel: str, notice: str) -> Response:
        actor = actor_of(request)
        found = notice_for(actor, channel_for(actor, channel), notice)
        return Response(NoticeOutput(act.retry_notice(found, actor=actor)).data, status=202)


class _Unread(parsers.BaseParser):
    """Leaves the body alone: the signature is over its raw bytes."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        return None


class _Door(APIView):
    """Where signed requests come in: the signature is the credential, and the only one."""

    authentication_classes = ()
    permission_classes = (permissions.AllowAny,)
    parser_classes = (_Unread,)

    def body_of(self, request: Request) -> bytes:
        body: bytes = request._request.body
        if len(body) > arriving.LONGEST_BODY:
            raise RequestUnreadable("A signed request has at most 64 KiB.")
        return body

    def headers_of(self, request: Request) -> dict[str, str]:
        return {name.lower(): value for name, value in request.headers.items()}


class SlackDoor(_Door):
    """Buttons that were pressed in Slack."""

    @extend_schema(operation_id="channels_slack", request=None, responses={200: None})
    def post(self, request: Request, channel: str) -> Response:
        body = self.body_of(request)
        arriving.take_interaction(channel, body, self.headers_of(request))
        return Response(status=200)


class DecisionDoor(_Door):
    """Decisions in the name of people, signed as Standard Webhooks are."""

    @extend_schema(
        operation_id="channels_decide", request=None, responses={200: OpenApiTypes.OBJECT}
    )
    def post(self, request: Request, channel: str) -> Response:
        body = self.body_of(request)
        return Response(arriving.take_decision(channel, body, self.headers_of(request)))


def _issued(issued: Issued, status: int = 200) -> Response:
    shown = IssuedChannelOutput(issued.channel, context={"issued": issued})
    # A secret is in this one answer; nothing on the way keeps it.
    headers = {"Cache-Control": "no-store"}
    if status == 201:
        headers["Location"] = f"/api/v1/channels/{issued.channel.public_id}"
    return Response(shown.data, status=status, headers=headers)


urlpatterns = [
    path("channels", Channels.as_view(), name="channels"),
    path("channels/<str:channel>", OneChannel.as_view(), name="channel"),
    path("channels/<str:channel>/pause", PauseChannel.as_view(), name="channel-pause"),
    path("channels/<str:channel>/resume", ResumeChannel.as_view(), name="channel-resume"),
    path("channels/<str:channel>/test", TryChannel.as_view(), name="channel-test"),
    path("channels/<str:channel>/rotate", RotateChannel.as_view(), name="channel-rotate"),
    path("channels/<str:channel>/notices", Notices.as_view(), name="channel-notices"),
    path(
        "channels/<str:channel>/notices/<str:notice>/retry",
        RetryNotice.as_view(),
        name="channel-notice-retry",
    ),
    path("channels/<str:channel>/slack", SlackDoor.as_view(), name="channel-slack"),
    path("channels/<str:channel>/decisions", DecisionDoor.as_view(), name="channel-decisions"),
]
