"""One running installation for all tests that walk through it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.installation import Installation, running_installation


@pytest.fixture(scope="session")
def installation() -> Iterator[Installation]:
    with running_installation() as started:
        yield started
