"""The ingest accounts, as the description of the API has them."""

from __future__ import annotations

from city.requests import GasSeenRequest, ReplayGroupRequest
from dashboard.api import ingest
from dashboard.api.operation import (
    CURSOR,
    LEDGER_LIMIT,
    LIMIT,
    PAGING,
    PERIOD,
    SINCE,
    Operation,
    as_filters,
    as_moment,
    as_text,
)
from dashboard.api.shapes import GasSeenAnswer, LedgerAnswer, RejectItem
from dashboard.screens.operations.load import OperationsAnswer
from dashboard.screens.quarantine.load import RejectReplayAnswer
from db.reject_counts import RejectCount
from db.rejects import RefusedGas

INGEST_OPERATIONS = (
    Operation(
        "get",
        "/ledger",
        "Ingest accounts by feed and minute",
        LedgerAnswer,
        query={
            **PERIOD,
            "feed": as_text("only this wire format"),
            **LEDGER_LIMIT,
            **CURSOR,
            "since": as_moment("another word for from"),
        },
    ),
    Operation(
        "get",
        "/operations",
        "Feeds, workers, backlog and sizes now; what is wrong",
        OperationsAnswer,
    ),
    Operation(
        "get",
        "/rejects",
        "Quarantined messages",
        RejectItem,
        listed=True,
        query={**PAGING, **as_filters(ingest.REJECT_FILTERS)},
    ),
    Operation(
        "get",
        "/rejects/gas",
        "Refused messages that speak of gas over a limit",
        RefusedGas,
        listed=True,
    ),
    Operation(
        "post",
        "/rejects/gas/seen",
        "Somebody has looked into them",
        GasSeenAnswer,
        body=GasSeenRequest,
    ),
    Operation(
        "get",
        "/rejects/counts",
        "Quarantined messages in groups, most first",
        RejectCount,
        listed=True,
        query={
            **LIMIT,
            **SINCE,
            **as_filters(ingest.COUNT_FILTERS),
            "by": as_text("a group a device, or over all devices", enum=list(ingest.GROUPINGS)),
        },
    ),
    Operation(
        "post", "/rejects/{id}/replay", "Try a quarantined message again", RejectReplayAnswer
    ),
    Operation(
        "post",
        "/rejects/replay",
        "Try the next quarantined messages of a group again",
        RejectReplayAnswer,
        body=ReplayGroupRequest,
    ),
)
