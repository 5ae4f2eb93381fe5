"""Receipts over REST: what proves that an entry is in the log, for whoever may see the entry."""

from __future__ import annotations

import base64
import time
from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kernel.api import Input
from ledger.levels import Level
from ledger.receipts import LONGEST_WAIT_MS, Proof, Receipt, receipt_of, wait_for
from registry.authentication import actor_of
from routing.queries.receipts import entry_shown_to

_LEVELS = [name for level in Level for name in (level.word, str(level))]


class ReceiptQuery(Input):
    """What is waited for, and for how long at most."""

    level = serializers.ChoiceField(_LEVELS, required=False)
    wait_ms = serializers.IntegerField(
        min_value=0, max_value=LONGEST_WAIT_MS, required=False, default=LONGEST_WAIT_MS
    )


class ProofOutput(serializers.Serializer[Any]):
    """The way from the leaf to the root, and the note that signs the root."""

    epoch = serializers.IntegerField()
    origin = serializers.CharField()
    key = serializers.CharField(help_text="the log's public key, as a C2SP vkey")
    index = serializers.IntegerField()
    size = serializers.IntegerField()
    root = serializers.CharField(help_text="base64")  # type: ignore[assignment]
    hashes = serializers.ListField(child=serializers.CharField(), help_text="base64, RFC 6962")
    checkpoint = serializers.CharField(help_text="C2SP signed note; without lines at level L1")


class ReceiptOutput(serializers.Serializer[Any]):
    """How far an entry has come, and what proves it."""

    entry = serializers.CharField()
    level = serializers.ChoiceField([level.word for level in Level])
    header = serializers.CharField(help_text="base64; the leaf is SHA-256 of 0x00 and these bytes")
    leaf_hash = serializers.CharField(help_text="base64")
    proof = ProofOutput(allow_null=True)


class OneReceipt(APIView):
    """The receipt of an entry; with ``level``, once it is reached or the time is over."""

    @extend_schema(operation_id="entry_receipt", parameters=[ReceiptQuery], responses=ReceiptOutput)
    def get(self, request: Request, entry: str) -> Response:
        asked = ReceiptQuery(data=request.query_params.dict())
        asked.is_valid(raise_exception=True)
        entry_id = entry_shown_to(actor_of(request), entry)
        wanted = Level.of(asked.validated_data.get("level", "L0"))
        if wanted:
            wait_for(
                entry_id, wanted, milliseconds=asked.validated_data["wait_ms"], wait=time.sleep
            )
        return Response(_shape(receipt_of(entry_id)))


def _shape(receipt: Receipt) -> dict[str, Any]:
    return {
        "entry": receipt.entry_id,
        "level": receipt.level.word,
        "header": _base64(receipt.header),
        "leaf_hash": _base64(receipt.leaf_hash),
        "proof": None if receipt.proof is None else _shape_of_proof(receipt.proof),
    }


def _shape_of_proof(proof: Proof) -> dict[str, Any]:
    return {
        "epoch": proof.epoch,
        "origin": proof.origin,
        "key": proof.key,
        "index": proof.index,
        "size": proof.size,
        "root": _base64(proof.root),
        "hashes": [_base64(node) for node in proof.hashes],
        "checkpoint": bytes(proof.note).decode() if proof.note.signatures else proof.note.text,
    }


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


urlpatterns = [path("entries/<str:entry>/receipt", OneReceipt.as_view(), name="entry-receipt")]
