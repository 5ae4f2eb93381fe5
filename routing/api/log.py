"""The log over REST as C2SP tlog-tiles, one prefix an epoch: ``/api/v1/ledger/<epoch>/``.

Hashes are for those who govern; entry bundles hold every header of the log, so they are for
security alone. Without an epoch in the path the newest is meant, and nothing may be kept.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.http import HttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from ledger.models import Epoch
from ledger.published import (
    epoch_named,
    epochs_listed,
    is_bundle,
    newest_note,
    read_published,
    signed_size,
)
from ledger.receipts import vkey_of
from ledger.standalone import unsprawl_verify
from registry.authentication import actor_of
from registry.models import Role
from registry.queries.agents import GOVERNING

# The address needs a right, so what lies between may not share it; whoever got it may keep it.
_FOR_EVER = "private, max-age=31536000, immutable"
_FOR_NOW = "private, no-cache"


class EpochOutput(serializers.Serializer[Any]):
    """One tree of the log."""

    number = serializers.IntegerField()
    origin = serializers.CharField()
    key = serializers.CharField(help_text="the log's public key, as a C2SP vkey")
    size = serializers.IntegerField(help_text="of the newest signed checkpoint; 0 before the first")
    opened_at = serializers.DateTimeField()
    reason = serializers.CharField(help_text="why it was opened; empty for the first")


class Epochs(APIView):
    """The trees of the log, the newest first."""

    @extend_schema(operation_id="ledger_epochs", responses=EpochOutput(many=True))
    def get(self, request: Request) -> Response:
        actor_of(request).require(*GOVERNING)
        return Response([_shape(epoch) for epoch in epochs_listed()])


class NewestCheckpoint(APIView):
    """The newest signed checkpoint of an epoch, with every line under it."""

    @extend_schema(operation_id="ledger_checkpoint", responses={(200, "text/plain"): str})
    def get(self, request: Request, epoch: int | None = None) -> HttpResponse:
        actor_of(request).require(*GOVERNING)
        note = bytes(newest_note(epoch_named(epoch)))
        return HttpResponse(
            note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": _FOR_NOW}
        )


class OneTile(APIView):
    """A tile, whole or partial, or a bundle of entries."""

    @extend_schema(operation_id="ledger_tile", responses={(200, "application/octet-stream"): bytes})
    def get(self, request: Request, tile: str, epoch: int | None = None) -> HttpResponse:
        actor = actor_of(request)
        actor.require(*((Role.SECURITY,) if is_bundle(tile) else GOVERNING))
        found = read_published(epoch_named(epoch), tile)
        stays = found.is_whole and epoch is not None
        return HttpResponse(
            found.content,
            content_type="application/octet-stream",
            headers={"Cache-Control": _FOR_EVER if stays else _FOR_NOW},
        )


@extend_schema_view(get=extend_schema(operation_id="ledger_epoch_checkpoint"))
class EpochCheckpoint(NewestCheckpoint):
    """The same of a named epoch."""


@extend_schema_view(get=extend_schema(operation_id="ledger_epoch_tile"))
class EpochTile(OneTile):
    """The same of a named epoch."""


class Verifier(APIView):
    """The verifier for exports, one Python file: for everybody who is given an export."""

    @extend_schema(operation_id="ledger_verifier", responses={(200, "text/x-python"): str})
    def get(self, request: Request) -> HttpResponse:
        actor_of(request)
        return HttpResponse(
            Path(str(unsprawl_verify.__file__)).read_bytes(),
            content_type="text/x-python; charset=utf-8",
            headers={
                "Cache-Control": _FOR_NOW,
                "Content-Disposition": 'attachment; filename="unsprawl_verify.py"',
            },
        )


def _shape(epoch: Epoch) -> dict[str, Any]:
    return {
        "number": epoch.number,
        "origin": epoch.origin,
        "key": str(vkey_of(epoch)),
        "size": signed_size(epoch),
        "opened_at": epoch.opened_at,
        "reason": epoch.reason,
    }


urlpatterns = [
    path("ledger/verifier", Verifier.as_view(), name="ledger-verifier"),
    path("ledger/epochs", Epochs.as_view(), name="ledger-epochs"),
    path("ledger/checkpoint", NewestCheckpoint.as_view(), name="ledger-checkpoint"),
    path("ledger/tile/<path:tile>", OneTile.as_view(), name="ledger-tile"),
    path(
        "ledger/<int:epoch>/checkpoint", EpochCheckpoint.as_view(), name="ledger-epoch-checkpoint"
    ),
    path("ledger/<int:epoch>/tile/<path:tile>", EpochTile.as_view(), name="ledger-epoch-tile"),
]
