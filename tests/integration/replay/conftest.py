"""The town of the incident core's tests, for histories."""

from __future__ import annotations

from tests.integration.dispatch.conftest import town

__all__ = ["town"]
