"""Feeds over REST: set up, tried, paused, watched, removed. Their secrets are never read back."""

from __future__ import annotations

from typing import Any, Final

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from outlets.actions.feeds import (
    Wanted,
    add_feed,
    pause_feed,
    remove_feed,
    resume_feed,
    try_feed,
)
from outlets.models import Feed
from outlets.queries.feeds import feed_for, feeds_for, lag_of
from registry.authentication import actor_of


class FeedInput(Input):
    """A receiver, how entries are written for it, and which it gets."""

    name = Text(max_length=63)
    kind = serializers.ChoiceField(choices=Feed.Kind.choices)
    format = serializers.ChoiceField(choices=Feed.Format.choices)
    address = Text(max_length=2048, help_text="host:port of syslog, the URL of http")
    auth_header = Text(max_length=64, required=False, allow_blank=True, default="")
    auth_scheme = Text(max_length=20, required=False, allow_blank=True, default="")
    secret = Text(max_length=16_384, required=False, allow_blank=True, default="", write_only=True)
    ca_pem = Text(max_length=100_000, required=False, allow_blank=True, default="")
    kinds = serializers.ListField(child=Text(max_length=20), required=False, default=list)
    verbs = serializers.ListField(child=Text(max_length=60), required=False, default=list)
    min_severity = serializers.IntegerField(required=False, default=0, min_value=0, max_value=10)
    from_start = serializers.BooleanField(required=False, default=False)


class WhyInput(Input):
    """Why."""

    reason = Text(max_length=1000, required=False, allow_blank=True, default="")


class FeedOutput(serializers.Serializer[Any]):
    """A feed, and how far behind it is."""

    id = serializers.CharField(source="public_id")
    name = serializers.CharField()
    kind = serializers.CharField()
    format = serializers.CharField()
    address = serializers.CharField()
    auth_header = serializers.CharField()
    kinds = serializers.ListField(child=serializers.CharField())
    verbs = serializers.ListField(child=serializers.CharField())
    min_severity = serializers.IntegerField()
    state = serializers.CharField()
    sent = serializers.IntegerField()
    passed = serializers.IntegerField()
    failure = serializers.CharField()
    failing_since = serializers.DateTimeField(allow_null=True)
    last_sent_at = serializers.DateTimeField(allow_null=True)
    tested_at = serializers.DateTimeField(allow_null=True)
    test_result = serializers.CharField()
    epoch = serializers.IntegerField()
    index = serializers.IntegerField()
    lag_entries = serializers.SerializerMethodField()
    lag_since = serializers.SerializerMethodField()

    def get_lag_entries(self, feed: Feed) -> int:
        return lag_of(feed).entries

    def get_lag_since(self, feed: Feed) -> str | None:
        oldest = lag_of(feed).oldest_at
        return oldest.isoformat() if oldest else None


_FEEDS: Final = Listing(ListQuery, search=("name", "address"), ordering=("added_at", "name"))


class Feeds(APIView):
    """The feeds, and the way to add one."""

    @extend_schema(operation_id="feeds_list", parameters=[ListQuery], responses=page_of(FeedOutput))
    def get(self, request: Request) -> Response:
        asked, rows = _FEEDS.read(request), feeds_for(actor_of(request))
        return _FEEDS.answer(request, rows, lambda page: FeedOutput(page, many=True).data, asked)

    @extend_schema(operation_id="feeds_add", request=FeedInput, responses={201: FeedOutput})
    def post(self, request: Request) -> Response:
        actor, read = actor_of(request), FeedInput(data=request.data)
        read.is_valid(raise_exception=True)
        given = read.validated_data
        wanted = Wanted(**{**given, "kinds": tuple(given["kinds"]), "verbs": tuple(given["verbs"])})
        feed = add_feed(wanted, actor=actor)
        location = {"Location": f"/api/v1/feeds/{feed.public_id}"}
        return Response(FeedOutput(feed).data, status=201, headers=location)


class OneFeed(APIView):
    """One feed."""

    @extend_schema(operation_id="feeds_read", responses=FeedOutput)
    def get(self, request: Request, feed: str) -> Response:
        return Response(FeedOutput(feed_for(actor_of(request), feed)).data)

    @extend_schema(operation_id="feeds_remove", request=None, responses={204: None})
    def delete(self, request: Request, feed: str) -> Response:
        actor = actor_of(request)
        remove_feed(feed_for(actor, feed), actor=actor)
        return Response(status=204)


class PauseFeed(APIView):
    """Stop sending; nothing is lost."""

    @extend_schema(operation_id="feeds_pause", request=WhyInput, responses=FeedOutput)
    def post(self, request: Request, feed: str) -> Response:
        actor, read = actor_of(request), WhyInput(data=request.data)
        read.is_valid(raise_exception=True)
        found = pause_feed(feed_for(actor, feed), actor=actor, **read.validated_data)
        return Response(FeedOutput(found).data)


class ResumeFeed(APIView):
    """Go on where it was paused."""

    @extend_schema(operation_id="feeds_resume", request=None, responses=FeedOutput)
    def post(self, request: Request, feed: str) -> Response:
        actor = actor_of(request)
        return Response(FeedOutput(resume_feed(feed_for(actor, feed), actor=actor)).data)


class TryFeed(APIView):
    """Have the worker send one event that stands for nothing; `test_result` says how it went."""

    @extend_schema(operation_id="feeds_test", request=None, responses={202: FeedOutput})
    def post(self, request: Request, feed: str) -> Response:
        actor = actor_of(request)
        found = try_feed(feed_for(actor, feed), actor=actor)
        return Response(FeedOutput(found).data, status=202)


urlpatterns = [
    path("feeds", Feeds.as_view(), name="feeds"),
    path("feeds/<str:feed>", OneFeed.as_view(), name="feed"),
    path("feeds/<str:feed>/pause", PauseFeed.as_view(), name="feed-pause"),
    path("feeds/<str:feed>/resume", ResumeFeed.as_view(), name="feed-resume"),
    path("feeds/<str:feed>/test", TryFeed.as_view(), name="feed-test"),
]
