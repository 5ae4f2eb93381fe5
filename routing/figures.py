"""What calls come to, on the wire: the figures that every sum of them shows.

In a module of its own because the wires of two packages show them, and none of them may read
another's.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class FiguresOutput(serializers.Serializer[Any]):
    """Sums of calls; a call whose price is unknown is counted and costs nothing here."""

    calls = serializers.IntegerField()
    denied = serializers.IntegerField()
    input_tokens = serializers.IntegerField()
    output_tokens = serializers.IntegerField()
    cost_micros = serializers.IntegerField()
    unpriced_calls = serializers.IntegerField()
