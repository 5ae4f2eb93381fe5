"""What grants ask of their left: which vendors there are, and what they may receive.

Owns the question; `config.wiring` binds the answer.
"""

from __future__ import annotations

from typing import Protocol


class VendorNames(Protocol):
    """Knows the connected vendors."""

    def receive(self) -> dict[str, list[str]]:
        """Return the classes of data that each vendor was given, by the vendor's name."""
        ...


class _Bindings:
    vendors: VendorNames | None = None


def bind_vendor_names(names: VendorNames | None) -> None:
    """Fill the port; the last binding holds."""
    _Bindings.vendors = names


def classes_by_vendor() -> dict[str, list[str]]:
    """Return what each vendor may receive."""
    return {} if _Bindings.vendors is None else _Bindings.vendors.receive()
