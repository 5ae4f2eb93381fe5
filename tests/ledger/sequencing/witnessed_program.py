"""A sequencer with a witness in it that cosigns everything, and a clock that nobody can trust."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.sequencing.keys import SigningKey
from ledger.sequencing.service import Service, Settings
from ledger.sequencing.witnesses import Offer, Unreachable
from ledger.transparency.notes import SignatureLine, cosign

WITNESS = Ed25519PrivateKey.from_private_bytes(bytes(32))


class Willing:
    """Cosigns whatever it is offered, once it answers at all."""

    def compare(self, offer: Offer) -> None:
        if "silent" in sys.argv and not Path(sys.argv[-1]).exists():
            raise Unreachable("it does not answer")

    def cosign(self, offer: Offer) -> Sequence[SignatureLine]:
        assert offer.note is not None
        return [cosign(offer.note.text, "witness.example", WITNESS, at=1)]


def main() -> int:
    if "stepping" in sys.argv:
        # An hour ahead, an hour back, ten seconds back: at every look the clock was set.
        real, steps = time.time, itertools.cycle((3600.0, -3600.0, 0.0, -10.0))
        time.time = lambda: real() + next(steps)
    service = Service(
        Settings(os.environ["DATABASE_SEQUENCER_URL"], "ledger.example"),
        lambda: SigningKey.load(Path(os.environ["UNSPRAWL_KEYS_DIR"])),
        witnesses=Willing(),
    )
    signal.signal(signal.SIGTERM, lambda *_: service.stopping.ask())
    service.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
