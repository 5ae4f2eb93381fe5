"""The child process in which Rego runs: one interpreter, one question at a time.

It imports nothing of the project and starts with an empty environment, so that what a
policy could reach is nothing. It speaks JSON lines on the socket that is its standard
input. It ends when its parent does: an idle one reads the end of the socket, a busy one
is ended by its own alarm, which no computation can outlast.
"""

from __future__ import annotations

import contextlib
import json
import resource
import signal
import socket
from pathlib import Path
from typing import Any

FAULT_LENGTH = 400


def main() -> None:
    """Build the bundle that comes first, then answer questions until the parent is gone."""
    _be_the_first_to_go()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wire = socket.socket(fileno=0)
    lines = wire.makefile("rb")
    order = json.loads(lines.readline())
    # Compiling may take longer than a decision, but not for ever.
    signal.setitimer(signal.ITIMER_REAL, order["build_seconds"])
    try:
        ask = build(order)
    except Exception as error:  # noqa: BLE001  the outermost boundary of this process
        _send(wire, {"fault": f"{type(error).__name__}: {error}"[:FAULT_LENGTH]})
        return
    signal.setitimer(signal.ITIMER_REAL, 0)
    _send(wire, {"ready": True})
    for line in lines:
        # SIGALRM is left at its default: it ends the process even inside the engine.
        signal.setitimer(signal.ITIMER_REAL, order["seconds"])
        answer = _answer(ask, line)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(wire, answer)


def build(order: dict[str, Any]) -> Any:
    """Compile a bundle and return the function that judges one line of facts."""
    from regopy import Interpreter

    engine = Interpreter()
    # Without it a built-in that fails is undefined, and `not undefined` is true.
    engine.strict_built_in_errors = True
    engine.add_data_json(order["data"])
    for name, source in sorted(order["modules"].items()):
        engine.add_module(name, source)
    entrypoint = order["entrypoint"]
    proofs = order.get("proofs", [])
    compiled = engine.build(None, [entrypoint, *proofs])
    if not compiled.ok():
        raise ValueError("the bundle does not compile")
    for proof in proofs:
        output = engine.query_bundle_entrypoint(compiled, proof)
        if not output.ok() or [list(each.expressions) for each in output] != [[True]]:
            raise ValueError(f"data.json does not hold what the rules need ({proof})")

    def ask(facts: str) -> Any:
        # As a term, not as a value: the engine's own reading of values cuts text at NUL
        # and compares escaped text wrongly.
        engine.set_input_term(facts)
        output = engine.query_bundle_entrypoint(compiled, entrypoint)
        if not output.ok() or len(output) != 1 or len(output[0].expressions) != 1:
            raise ValueError("no single clean answer")
        return output[0].expressions[0]

    return ask


def _be_the_first_to_go() -> None:
    """Ask the kernel to end this process before any other when memory runs out.

    A limit of its own is not possible: the engine's allocator reserves 256 GiB of address
    space and does not start under one.
    """
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _answer(ask: Any, line: bytes) -> dict[str, Any]:
    try:
        return {"answer": ask(line.decode())}
    except Exception as error:  # noqa: BLE001  the outermost boundary of this process
        return {"fault": type(error).__name__}


def _send(wire: socket.socket, message: dict[str, Any]) -> None:
    wire.sendall(json.dumps(message).encode() + b"\n")


if __name__ == "__main__":
    main()
