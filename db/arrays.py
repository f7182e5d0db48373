"""Whole columns to PostgreSQL at once: NumPy arrays as binary parameters and COPY rows."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

from db.pool import Connection

# Microseconds from 1970 to 2000, where PostgreSQL's binary timestamps begin.
POSTGRES_EPOCH_US = 946_684_800 * 1_000_000
# Bytes before the elements of an array of one dimension.
ARRAY_HEAD = 20


class Column:
    """One column of a statement's parameters; subclasses fix the PostgreSQL type."""

    element_oid: ClassVar[int]
    array_oid: ClassVar[int]
    dtype: ClassVar[str]
    __slots__ = ("body",)

    def __init__(self, values: NDArray[Any]) -> None:
        self.body = self._head(len(values)) + copy_cells([(self.dtype, values)])

    def _head(self, length: int) -> bytes:
        if not length:
            return struct.pack(">iiI", 0, 0, self.element_oid)  # an array without dimensions
        return struct.pack(">iiIii", 1, 0, self.element_oid, length, 1)


class Int2(Column):
    element_oid, array_oid, dtype = 21, 1005, ">i2"


class Int4(Column):
    element_oid, array_oid, dtype = 23, 1007, ">i4"


class Int8(Column):
    element_oid, array_oid, dtype = 20, 1016, ">i8"


class Float8(Column):
    element_oid, array_oid, dtype = 701, 1022, ">f8"


class Timestamptz(Column):
    """Made from microseconds since 1970."""

    element_oid, array_oid, dtype = 1184, 1185, ">i8"

    def __init__(self, epoch_us: NDArray[np.int64]) -> None:
        super().__init__(epoch_us - POSTGRES_EPOCH_US)


class _ColumnDumper(Dumper):
    format = Format.BINARY

    def dump(self, obj: Column) -> Buffer:
        return obj.body


def _dumper_of(column: type[Column]) -> type[Dumper]:
    return type(f"{column.__name__}Dumper", (_ColumnDumper,), {"oid": column.array_oid})


_DUMPERS = {column: _dumper_of(column) for column in (Int2, Int4, Int8, Float8, Timestamptz)}


def column_cursor(conn: Connection) -> psycopg.Cursor[Any]:
    """A cursor that takes `Column` parameters (write them `%(name)b`)."""
    cursor = conn.cursor()
    for column, dumper in _DUMPERS.items():
        cursor.adapters.register_dumper(column, dumper)
    return cursor


def copy_cells(
    columns: Sequence[tuple[str, NDArray[Any]]], before: tuple[str, int] | None = None
) -> bytes:
    """Rows of fixed-width cells, each preceded by its size; `before` leads every row."""
    fields = [("before", before[0])] if before else []
    for number, (dtype, _) in enumerate(columns):
        fields += [(f"size{number}", ">i4"), (f"value{number}", dtype)]
    rows = np.empty(len(columns[0][1]), np.dtype(fields))
    if before:
        rows["before"] = before[1]
    for number, (dtype, values) in enumerate(columns):
        rows[f"size{number}"] = np.dtype(dtype).itemsize
        rows[f"value{number}"] = values
    return rows.tobytes()


def copy_body(columns: Sequence[tuple[str, NDArray[Any]]]) -> bytes:
    """What `COPY … FROM STDIN (FORMAT BINARY)` reads."""
    head = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
    return head + copy_cells(columns, before=(">i2", len(columns))) + b"\xff\xff"


def read_columns(cursor: psycopg.Cursor[Any], dtypes: Sequence[str]) -> list[NDArray[Any]]:
    """The arrays of the one row of a result in binary form, whose elements are not NULL. Reading a
    COPY would cost a call of Python for every row."""
    result = cursor.pgresult
    assert result is not None, "a query was executed"
    bodies = [result.get_value(0, number) for number in range(len(dtypes))]
    return [_read_column(body, dtype) for body, dtype in zip(bodies, dtypes, strict=True)]


def _read_column(body: bytes | None, dtype: str) -> NDArray[Any]:
    if body is None:  # made of no row
        return np.empty(0, dtype)
    cells = np.frombuffer(body, [("size", ">i4"), ("value", dtype)], offset=ARRAY_HEAD)
    return cells["value"].astype(np.dtype(dtype).newbyteorder("="))
