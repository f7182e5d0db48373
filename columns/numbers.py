"""Numbers of messages as columns, and how far the sources of them were followed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.void]  # of NUMBER_DTYPE
Sources = NDArray[np.void]  # of SOURCE_DTYPE


# One message. `at_us` is its sender's time, 0 where it has none and was sent before; by `flags`
# it begins a session, or has a number nobody could read.
NUMBER_DTYPE: np.dtype[np.void] = np.dtype(
    [("source", "<i8"), ("feed", "u1"), ("flags", "u1"), ("number", "<i8"), ("at_us", "<i8"),
     ("received_us", "<i8")]
)  # fmt: skip


BEGINS, UNREAD = 1, 2  # of `flags`

# One source. `at_us` and `epoch_us` are by its own clock, `lag_us` is the shortest time from its
# clock to our receipt; `good`, `odd` and `same` are sums over its last steps, older ones fading.
SOURCE_DTYPE: np.dtype[np.void] = np.dtype(
    [("source", "<i8"), ("feed", "u1"), ("trust", "u1"), ("unread", "u1"), ("epoch", "<i4"),
     ("epoch_us", "<i8"), ("number", "<i8"), ("at_us", "<i8"), ("lag_us", "<i8"),
     ("heard_us", "<i8"), ("good", "<f4"), ("odd", "<f4"), ("same", "<f4"), ("seen", "<f4"),
     ("lost", "<f4")]
)  # fmt: skip
