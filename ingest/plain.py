"""What a fast way for plain messages gives: rows at once, and what is left for the long way."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from columns.numbers import Numbers
from columns.readings import Rows
from ingest.message import Message
from ingest.reporters import Reporters


class Plain(NamedTuple):
    """Rows of the messages that were taken and what their senders numbered them, and which
    messages were not taken. All that were are of one format, `feed`."""

    feed: str
    rows: Rows
    row_messages: NDArray[np.int32]
    rest: list[int]
    numbers: Numbers


class Lane(Protocol):
    """Takes plain messages of devices that the registry knows. For what it takes the long way
    gives the same."""

    def take(self, messages: Sequence[Message], registry: Reporters) -> Plain: ...
