"""Work beside the event loop."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

Made = TypeVar("Made")


def aside(work: Callable[[], Made]) -> asyncio.Future[Made]:
    """Begun at once, in a thread of the loop's own pool; worth it for what lets go of the interpreter."""
    return asyncio.get_running_loop().run_in_executor(None, work)
