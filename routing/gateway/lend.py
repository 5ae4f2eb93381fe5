"""Lending a vendor's secret to one call, for the one address it is bound to."""

from __future__ import annotations

from kernel.errors import Unavailable
from routing.gateway.errors import VendorNotReady
from routing.gateway.ports import Secrets
from routing.gateway.snapshot import Snapshot, Vendor


class Lender:
    """Opens secrets once and forgets them when they are no longer current."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets
        self._opened: dict[str, str] = {}

    def __repr__(self) -> str:
        return "Lender(•••)"

    def lend(self, vendor: Vendor) -> str:
        """Return the secret that goes to this vendor. Raises: VendorNotReady."""
        if vendor.auth_scheme == "none":
            return ""
        if vendor.secret is None:
            raise VendorNotReady(
                f"Vendor {vendor.name} has no secret yet. The platform team sets it in the portal."
            )
        text = self._opened.get(vendor.secret.public_id)
        if text is None:
            try:
                text = self._secrets.open(vendor.secret).reveal()
            except Unavailable:
                raise VendorNotReady(
                    f"The secret of vendor {vendor.name} cannot be opened here. The platform team"
                    " sets it again in the portal."
                ) from None
            self._opened[vendor.secret.public_id] = text
        return text

    def keep_only(self, snapshot: Snapshot) -> None:
        """Forget what is no longer anybody's secret."""
        current = {vendor.secret.public_id for vendor in snapshot.vendors.values() if vendor.secret}
        for gone in self._opened.keys() - current:
            del self._opened[gone]
