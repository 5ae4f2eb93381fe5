"""Putting secrets in. Nothing in this module can take one out."""

from __future__ import annotations

from django.conf import settings
from django.db import connection, transaction

from credentials.broker import identity
from credentials.errors import SecretNotFound, SecretNotUsable
from credentials.models import Secret
from credentials.rotation import rotate_ring
from kernel import clock
from kernel.refs import Ref, new_id
from kernel.sealing import PublicRing
from ledger.record import record
from ledger.verbs import Verb

__all__ = ["retire_secret", "rotate_ring", "seal_secret"]

LONGEST_BYTES = 16 * 1024
_HINTED_FROM = 20  # of a shorter secret, four characters would give too much away


@transaction.atomic
def seal_secret(holder: Ref, value: str, *, ring: str, actor: Ref) -> Secret:
    """Seal a new version of a holder's secret; the version before is retired with it.

    The ring's file is read each time, so what is sealed after a rotation is sealed to the
    new key; the database refuses what is sealed to a retired one.

    Records: secret.sealed. Raises: SecretNotUsable, RingUnreadable.
    """
    plaintext = _usable(value)
    _wait_for_turn(holder)
    now = clock.now()
    versions = Secret.objects.filter(holder=str(holder))
    versions.filter(retired_at__isnull=True).update(retired_at=now)
    newest = versions.order_by("-version").first()
    version = newest.version + 1 if newest else 1
    public_id = new_id("sec")
    sealed = _public_ring(ring).seal(
        plaintext.encode(), identity(public_id, ring, str(holder), version)
    )
    secret = Secret.objects.create(
        public_id=public_id,
        ring=ring,
        holder=str(holder),
        version=version,
        ring_key_id=sealed.ring_key_id,
        wrapped_key=sealed.wrapped_key,
        nonce=sealed.nonce,
        ciphertext=sealed.ciphertext,
        hint=plaintext[-4:] if len(plaintext) >= _HINTED_FROM else "",
        created_by=str(actor),
        created_at=now,
    )
    record(
        Verb.SECRET_SEALED,
        holder,
        actor=actor,
        facts={"secret": public_id, "version": version, "ring": ring, "key": sealed.ring_key_id},
    )
    return secret


@transaction.atomic
def retire_secret(holder: Ref, *, actor: Ref, reason: str) -> None:
    """Take a holder's current secret out of use without giving it another.

    Records: secret.retired. Raises: SecretNotFound.
    """
    _wait_for_turn(holder)
    current = Secret.objects.filter(holder=str(holder), retired_at__isnull=True).first()
    if current is None:
        raise SecretNotFound
    current.retired_at = clock.now()
    current.save(update_fields=["retired_at"])
    record(
        Verb.SECRET_RETIRED,
        holder,
        actor=actor,
        facts={"secret": current.public_id, "version": current.version, "reason": reason[:1000]},
    )


def _usable(value: str) -> str:
    text = value.rstrip("\r\n")  # what a terminal or a file adds, and nobody means
    if not text:
        raise SecretNotUsable("The secret is empty.")
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST_BYTES:
        raise SecretNotUsable(f"The secret has more than {LONGEST_BYTES} bytes.")
    if not text.isprintable() or not text.isascii():
        # It travels in a header, where anything else is cut, folded or refused.
        raise SecretNotUsable("The secret holds characters that cannot be sent in a header.")
    if text != text.strip():
        raise SecretNotUsable("The secret begins or ends with a space.")
    return text


def _wait_for_turn(holder: Ref) -> None:
    # Two who seal for one holder take turns, so that both get a version and one is current.
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('unsprawl.secret'), hashtext(%s))", [str(holder)]
        )


def _public_ring(ring: str) -> PublicRing:
    if ring not in Secret.Ring.values:
        raise ValueError(f"no secrets are sealed to ring {ring!r}")
    return PublicRing.load(settings.KEYS_DIR, ring)
