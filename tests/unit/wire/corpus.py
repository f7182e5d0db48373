"""The corpus of real samples: third-party data that is not part of this repository.

It is read from the folder named by GRIDWARDEN_SAMPLES, else from `shared/samples` beside the
checkout. Suites over it are skipped where there is none, and say so.
"""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ingest.decode import decode_by_hand

ROOT = Path(__file__).parents[3]
SAMPLES = Path(os.environ.get("GRIDWARDEN_SAMPLES") or ROOT.parent / "shared" / "samples")
NOW = datetime.now(UTC)


@dataclass(frozen=True)
class Sample:
    """One row of the corpus's index."""

    file: str
    topic: str
    format: str
    kind: str
    device: str
    message_class: str
    expect: str
    expected: dict[str, Any]
    codec_of: str
    fport: int | None

    @property
    def payload(self) -> bytes:
        return (SAMPLES / self.file).read_bytes()

    def decoded(self, **options: Any) -> dict[str, Any]:
        return decode_by_hand(self.topic, self.payload, received_at=NOW, **options)


def read_index() -> list[Sample]:
    index = SAMPLES / "INDEX.tsv"
    if not index.exists():
        return []
    with index.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [
        Sample(
            row["file"],
            row["topic"],
            row["format"],
            row["kind"],
            row["device"],
            row["message_class"],
            row["expect"],
            json.loads((SAMPLES / row["expected"]).read_text(encoding="utf-8")),
            row["needs_codec"] or "",
            int(row["fport"]) if row["fport"] else None,
        )
        for row in rows
    ]


CORPUS = read_index()
corpus = pytest.mark.skipif(
    not CORPUS,
    reason=f"the corpus of real samples is absent: no INDEX.tsv in {SAMPLES}; "
    "set GRIDWARDEN_SAMPLES to a folder that has it",
)


def of_formats(formats: Collection[str]) -> list[Sample]:
    return [sample for sample in CORPUS if sample.format in formats]


def each(samples: list[Sample]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("sample", samples, ids=[sample.file for sample in samples])


def same(ours: object, theirs: object) -> bool:
    if isinstance(theirs, (bool, int, float)):
        return isinstance(ours, (int, float)) and abs(ours - theirs) < 1e-9
    return ours == theirs


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
