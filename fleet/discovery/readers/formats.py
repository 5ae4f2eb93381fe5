"""Which module reads which format."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from fleet.discovery.readers import (
    agt,
    anthropic,
    copilot,
    litellm,
    nginx,
    openai,
    route53,
    squid,
    zeek,
)
from fleet.discovery.readers.tally import Bytes, Tally
from fleet.discovery.signs import Sighting

Reader = Callable[[Bytes, Tally], Iterator[Sighting]]

READERS: Final[dict[str, Reader]] = {
    "openai": openai.read,
    "anthropic": anthropic.read,
    "litellm": litellm.read,
    "squid": squid.read,
    "zeek": zeek.read,
    "route53": route53.read,
    "nginx": nginx.read,
    "agt": agt.read,
    "copilot": copilot.read,
}
