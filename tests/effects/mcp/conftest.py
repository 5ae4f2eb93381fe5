"""The web process as it is served, in a thread of its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
import uvicorn

if TYPE_CHECKING:  # Django is not set up yet when this file is read
    from tests.effects.proposals.story import Story


@pytest.fixture
def story(transactional_db: None) -> Story:
    from tests.effects.proposals.story import make_story

    return make_story()


@pytest.fixture
def address(story: Story) -> Iterator[str]:
    from config.asgi import application

    served = uvicorn.Server(
        uvicorn.Config(application, host="127.0.0.1", port=0, lifespan="off", log_config=None)
    )
    thread = threading.Thread(target=served.run, daemon=True)
    thread.start()
    while not served.started:
        time.sleep(0.01)
    port = served.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    served.should_exit = True
    thread.join(60)
