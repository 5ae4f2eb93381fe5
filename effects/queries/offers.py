"""What may be proposed: the operations in use, by their name or by words."""

from __future__ import annotations

from django.db.models import Q, QuerySet

from effects.models import Operation
from effects.refusals import OperationUnknown


def offered_operations(words: str = "") -> QuerySet[Operation]:
    """Return the operations in use, in which every word occurs."""
    rows = Operation.objects.select_related("connection").filter(
        retired_at__isnull=True, connection__disabled_at__isnull=True
    )
    for word in words.replace("\x00", " ").split()[:10]:
        rows = rows.filter(
            Q(name__icontains=word)
            | Q(title__icontains=word)
            | Q(connection__name__icontains=word)
            | Q(connection__title__icontains=word)
        )
    return rows.order_by("connection__name", "name")


def operation_at(target: str) -> Operation:
    """Return the operation in use of this name. Raises: OperationUnknown."""
    place, dot, name = target.partition(".")
    found = None
    if dot and "\x00" not in target:
        found = offered_operations().filter(connection__name=place, name=name).first()
    if found is None:
        raise OperationUnknown(
            f"No connection in use offers {target[:130]!r}; it is written connection.operation.",
            field="value.action_requests",
        )
    return found
