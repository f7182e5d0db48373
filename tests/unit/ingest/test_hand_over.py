"""What the inbox and its workers say to each other survives the way, in any portions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from ingest.hand_over import (
    FRAME,
    AnswerReader,
    RawPiece,
    StoreSettings,
    pack_answer,
    pack_greeting,
    pack_parcel,
    read_greeting,
    read_parcel,
)

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
pieces = st.lists(
    st.builds(
        RawPiece,
        st.text(max_size=30),
        st.binary(max_size=200),
        st.timedeltas(timedelta(0), timedelta(days=9)).map(lambda later: AT + later),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    max_size=6,
)


@given(st.integers(1, 2**32 - 1), pieces, st.integers(0, 2**63 - 1))
def test_a_parcel_arrives_as_it_was_sent(number: int, sent: list[RawPiece], revision: int) -> None:
    frame = b"".join(pack_parcel(number, sent, revision))
    (size,) = FRAME.unpack_from(frame)
    assert size == len(frame) - FRAME.size
    assert read_parcel(frame[FRAME.size :]) == (number, sent, revision)


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.lists(st.binary(max_size=20), max_size=5))),
    st.integers(1, 50),
)
def test_answers_are_read_out_of_any_portions(
    answers: list[tuple[int, list[bytes]]], portion: int
) -> None:
    stream = b"".join(pack_answer(number, owed) for number, owed in answers)
    reader, found = AnswerReader(), []
    for at in range(0, len(stream), portion):
        found += list(reader.feed(stream[at : at + portion]))
    assert found == answers


def test_a_worker_begins_with_its_settings() -> None:
    settings = StoreSettings("postgresql://x", "redis://y", "worker-1-1", "worker-1")
    assert read_greeting(pack_greeting(settings)[FRAME.size :]) == settings
