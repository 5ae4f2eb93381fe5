"""The catalogue over REST: documents in, feeds followed, and model-eol/0.1 out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input, Listing, ListQuery, Text, page_of
from registry.authentication import actor_of
from routing.actions import feeds
from routing.actions.importing import import_document
from routing.api.bodies import NoInput, said
from routing.catalogue.exporting import exported
from routing.catalogue.formats import MAX_BYTES
from routing.errors import CatalogueUnreadable
from routing.queries.catalogue import catalogue_rows
from routing.queries.lifecycle import feeds_followed


class DocumentParser(BaseParser):
    """Takes a document as it is, whatever it calls itself; who reads it says what it is."""

    media_type = "*/*"

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        raw: bytes = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise CatalogueUnreadable(f"A document has at most {MAX_BYTES} bytes.")
        return raw


class ImportQuery(Input):
    """What a saved list does not say of itself."""

    region = Text(required=False, max_length=40)
    as_of = serializers.DateField(required=False)


class ExportQuery(Input):
    """What an export is narrowed to."""

    platform = Text(required=False, max_length=63)


class LoadedOutput(serializers.Serializer[Any]):
    """What loading a document came to."""

    name = serializers.CharField()
    rows = serializers.IntegerField()
    models_changed = serializers.IntegerField()
    unchanged = serializers.BooleanField()
    digest = serializers.CharField()


class CatalogueFeedInput(Input):
    """A catalogue document that is fetched again and again."""

    url = Text(max_length=1000)
    title = Text(required=False, allow_blank=True, max_length=200, default="")
    every_hours = serializers.IntegerField(default=1, min_value=1, max_value=720)


class CatalogueFeedOutput(serializers.Serializer[Any]):
    """A feed and how the last look went."""

    id = serializers.CharField(source="public_id")
    title = serializers.CharField()
    url = serializers.CharField()
    every_hours = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    failures = serializers.IntegerField()
    failing_since = serializers.DateTimeField(allow_null=True)
    rows = serializers.IntegerField()
    checked_at = serializers.DateTimeField(allow_null=True)
    loaded_at = serializers.DateTimeField(allow_null=True)
    next_at = serializers.DateTimeField()


_FEEDS: Final = Listing(ListQuery, search=("url", "title"), ordering=("added_at",))


class Imports(APIView):
    """Load a document: model-eol/0.1, this service's own formats, or a saved list of a vendor."""

    parser_classes = (DocumentParser,)

    @extend_schema(
        parameters=[ImportQuery],
        request={"application/json": OpenApiTypes.OBJECT},
        responses={201: LoadedOutput},
        description="The body is the document. Bedrock's ListFoundationModels and Azure's"
        " Models - List are known by what they hold.",
    )
    def post(self, request: Request) -> Response:
        query = ImportQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        asked = query.validated_data
        day = asked.get("as_of")
        given: Any = request.data
        raw = given if isinstance(given, bytes) else b""
        loaded = import_document(
            raw,
            actor=actor_of(request),
            came_from="api",
            region=asked.get("region", ""),
            as_of=day.isoformat() if day else "",
        )
        return Response(LoadedOutput(loaded).data, status=201)


class ModelEol(APIView):
    """The catalogue as model-eol/0.1, for whoever may sign in here."""

    @extend_schema(parameters=[ExportQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        query = ExportQuery(data=request.query_params.dict())
        query.is_valid(raise_exception=True)
        rows = catalogue_rows(platform=query.validated_data.get("platform", ""))
        return Response(exported(rows, publisher="unsprawl", source=settings.PUBLIC_URL))


class Feeds(APIView):
    """The feeds that are followed."""

    @extend_schema(
        operation_id="catalogue_feeds_list",
        parameters=[ListQuery],
        responses=page_of(CatalogueFeedOutput),
    )
    def get(self, request: Request) -> Response:
        actor_of(request)
        asked = _FEEDS.read(request)
        return _FEEDS.answer(
            request, feeds_followed(), lambda rows: CatalogueFeedOutput(rows, many=True).data, asked
        )

    @extend_schema(request=CatalogueFeedInput, responses={201: CatalogueFeedOutput})
    def post(self, request: Request) -> Response:
        made = feeds.add_feed(**said(CatalogueFeedInput, request), actor=actor_of(request))
        return Response(CatalogueFeedOutput(made).data, status=201)


class OneFeed(APIView):
    """One feed."""

    @extend_schema(responses={204: None})
    def delete(self, request: Request, feed: str) -> Response:
        feeds.remove_feed(feed, actor=actor_of(request))
        return Response(status=204)


class LookAtFeed(APIView):
    """Looking at one feed now."""

    @extend_schema(request=NoInput, responses={202: CatalogueFeedOutput})
    def post(self, request: Request, feed: str) -> Response:
        said(NoInput, request)
        asked = feeds.look_now(feed, actor=actor_of(request))
        return Response(CatalogueFeedOutput(asked).data, status=202)


urlpatterns = [
    path("catalogue/imports", Imports.as_view(), name="catalogue-imports"),
    path("catalogue/model-eol.json", ModelEol.as_view(), name="catalogue-model-eol"),
    path("catalogue/feeds", Feeds.as_view(), name="catalogue-feeds"),
    path("catalogue/feeds/<str:feed>", OneFeed.as_view(), name="catalogue-feed"),
    path("catalogue/feeds/<str:feed>/look", LookAtFeed.as_view(), name="catalogue-feed-look"),
]
