"""Which witnesses the service asks, and under which keys it believes them."""

from __future__ import annotations

from config.env import Env
from config.places import Places
from ledger.sequencing.remote import RemoteWitness, RemoteWitnesses
from ledger.sequencing.witnesses import NoWitnesses, Witnesses
from ledger.transparency.notes import COSIGNATURE_V1, NoteInvalid, VerifierKey


def witnesses_from(env: Env) -> Witnesses:
    """Read addresses and keys, by comma and in one order; none means that nobody watches.

    ``make run`` says where its own witness is, and has put its key beside the others.
    """
    running = Places.from_environ().read_runtime().witness_url
    urls = env.listing("UNSPRAWL_WITNESS_URL") or ([running] if running else [])
    keys = _keys(env, needed=bool(urls))
    if len(urls) != len(keys):
        env.problems.append("UNSPRAWL_WITNESS_URL and UNSPRAWL_WITNESS_KEY must be as many.")
        return NoWitnesses()
    for url in urls:
        if not url.startswith(("http://", "https://")):
            env.problems.append("UNSPRAWL_WITNESS_URL must be http or https addresses, by comma.")
    known = [RemoteWitness(url.rstrip("/"), key) for url, key in zip(urls, keys, strict=True)]
    return RemoteWitnesses(tuple(known)) if known else NoWitnesses()


def _keys(env: Env, *, needed: bool) -> list[VerifierKey]:
    spelt = env.listing("UNSPRAWL_WITNESS_KEY")
    beside = env.path("UNSPRAWL_KEYS_DIR", Places.from_environ().keys) / "witness.pub"
    if needed and not spelt and beside.exists():
        spelt = [beside.read_text(encoding="utf-8").strip()]
    try:
        keys = [VerifierKey.parse(one) for one in spelt]
    except NoteInvalid as error:
        env.problems.append(f"UNSPRAWL_WITNESS_KEY: {error}.")
        return []
    if any(key.kind != COSIGNATURE_V1 for key in keys):
        env.problems.append("UNSPRAWL_WITNESS_KEY must be keys of cosignature/v1 (witness.pub).")
    return keys
