"""Readings as columns: one record each, their order, and which of them repeat."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from city.moment import MICROSECOND

# One reading in `ingest_batch.payload`: little-endian, packed, 31 bytes.
BATCH_DTYPE = np.dtype(
    [
        ("device_id", "<i4"),
        ("metric_id", "<i2"),
        ("quality", "i1"),
        ("ts_us", "<i8"),  # microseconds since 1970
        ("received_us", "<i8"),
        ("value", "<f8"),
    ]
)


# Nothing is measured after it was received. A clock this close is right: what remains is jitter. A
# reading further ahead keeps its time, but is as old as its receipt where order matters.
CLOCKS_AGREE = timedelta(seconds=2)

Rows = NDArray[Any]  # of BATCH_DTYPE


Mask = NDArray[np.bool_]


RawValues = Mapping[int, tuple[str, str]]  # row number to (raw value, raw unit)


def pack(rows: Rows) -> bytes:
    """Readings as they travel in `ingest_batch.payload`."""
    return rows.astype(BATCH_DTYPE, copy=False).tobytes()


def unpack(payload: bytes) -> Rows:
    """Readings out of `ingest_batch.payload` (read-only)."""
    return np.frombuffer(payload, BATCH_DTYPE)


def credible_us(rows: Any) -> NDArray[np.int64]:
    """When the readings can have been measured at the latest: their place in the order of time."""
    latest: NDArray[np.int64] = np.minimum(
        rows["ts_us"], rows["received_us"] + CLOCKS_AGREE // MICROSECOND
    )
    return latest


def sort_rows(rows: Rows) -> NDArray[np.intp]:
    """Order by device, metric, time, then arrival. All writers lock in this order."""
    return np.lexsort((rows["ts_us"], rows["metric_id"], rows["device_id"]))


def first_of_key(rows: Rows) -> Mask:
    """In sorted rows: the first of every (device, metric, time); the others repeat it."""
    first = np.ones(len(rows), dtype=bool)
    first[1:] = (
        (rows["device_id"][1:] != rows["device_id"][:-1])
        | (rows["metric_id"][1:] != rows["metric_id"][:-1])
        | (rows["ts_us"][1:] != rows["ts_us"][:-1])
    )
    return first


def last_of_metric(rows: Rows) -> Mask:
    """In sorted rows: the newest of every (device, metric)."""
    last = np.ones(len(rows), dtype=bool)
    last[:-1] = (rows["device_id"][1:] != rows["device_id"][:-1]) | (
        rows["metric_id"][1:] != rows["metric_id"][:-1]
    )
    return last
