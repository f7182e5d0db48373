"""The registry is tried on the field of devices that ingest is tried on."""

from __future__ import annotations

from tests.integration.ingest.conftest import field as field
