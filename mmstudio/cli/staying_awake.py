"""While a command trains the system does not go to sleep, unless ``--allow-sleep`` says so."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from mmstudio.awake import StayingAwake

AllowSleep = Annotated[bool, typer.Option(
    "--allow-sleep", help="Let the computer go to sleep meanwhile; by default it is kept awake, "
    "where the system can be asked.")]


@contextmanager
def staying_awake(allow_sleep: bool) -> Iterator[None]:
    """Keep the system awake in this block. Where nothing can be asked, nothing is said.

    Args:
        allow_sleep: Do nothing of the kind.
    """
    if allow_sleep:
        yield
        return
    awake, wanted = StayingAwake(), True
    # whether a system listens takes half a second to see, which the training need not wait for
    asking = threading.Thread(target=lambda: awake.follow(lambda: wanted), daemon=True)
    asking.start()
    try:
        yield
    finally:
        wanted = False
        asking.join()
        awake.release()
