"""What the page of devices and its API read and do: the registry, strangers, device files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from city.incident import Role
from city.person import Caller
from city.requests import ApproveRequest, OutOfServiceRequest, ReplaceRequest
from dashboard.screens.citymap.device_dots import SILENT_INTERVALS
from dashboard.shell.changes import CREATED, Once, Work, change
from dashboard.shell.parts import parts
from dashboard.shell.plain_json import as_plain
from dashboard.shell.ports import ImportReport
from db import discovery, listings, registry_pages
from db.device_changes import list_identities
from db.events import last_seq
from db.idempotency import StoredAnswer
from db.inhibitions import ListedInhibition, list_explained
from db.live import publish_event_seq, wake
from db.pool import Connection, transaction
from db.registry_pages import RegistryCounts, RegistryRow, RegistrySearch

READERS = (Role.ADMIN, Role.GAS_ENGINEER, Role.DISPATCHER)
CHANGERS = (Role.ADMIN, Role.GAS_ENGINEER)
PAGE_SIZE = 50
# Rows of the two short lists of the page; the API pages through longer ones.
LIST_LIMIT = 200
# Messages tried again in one request: a few seconds of work.
REPLAY_MAX = 500
# Faults shown of one file: nobody reads 50,000 lines, and the first ones explain the rest.
FAULTS_SHOWN = 500


def registry_page(
    caller: Caller, search: RegistrySearch, number: int, now: datetime
) -> tuple[list[RegistryRow], int]:
    """Rows of a page (from 0) and which page it is: beyond the last one there is the first."""
    with transaction(parts().pool) as conn:
        for page in dict.fromkeys((number, 0)):
            rows = registry_pages.list_registry(
                conn, caller.scope, now, search, silent_intervals=SILENT_INTERVALS,
                offset=page * PAGE_SIZE, limit=PAGE_SIZE,
            )  # fmt: skip
            if rows:
                return rows, page
    return [], 0


def explained(caller: Caller, rows: Sequence[RegistryRow]) -> dict[str, ListedInhibition]:
    """By code what explains the silence of devices of a page."""
    with transaction(parts().pool) as conn:
        return list_explained(conn, caller.district, [row.code for row in rows])


def counts(caller: Caller, now: datetime) -> tuple[RegistryCounts, discovery.DiscoveredCounts]:
    """Figures on the tabs."""
    with transaction(parts().pool) as conn:
        found = registry_pages.count_registry(conn, caller.scope, now)
        return found, discovery.count_discovered(conn)


def strangers(state: str) -> list[discovery.DiscoveredDevice]:
    """Those that wait or are ignored, last seen first."""
    with transaction(parts().pool) as conn:
        return discovery.list_discovered(conn, state=state, limit=LIST_LIMIT)


def out_of_service(caller: Caller) -> list[registry_pages.OutOfService]:
    """The register, overdue returns first."""
    with transaction(parts().pool) as conn:
        return registry_pages.list_out_of_service(conn, caller.scope, LIST_LIMIT)


def approve(
    caller: Caller, discovered_id: int, request: ApproveRequest, once: Once | None
) -> StoredAnswer:
    """Register a stranger; answers with the device and what it may still bring."""

    def work(conn: Connection, now: datetime) -> Any:
        code = parts().ports.registry.approve(
            conn, caller.name, caller.district, discovered_id, request, now
        )
        return _registered(conn, caller, code, now)

    return change(caller, work, once=once, status=CREATED)


def ignore(caller: Caller, discovered_id: int, once: Once | None) -> StoredAnswer:
    """Do not show a stranger again; answers with it."""

    def work(conn: Connection, now: datetime) -> Any:
        parts().ports.registry.ignore(conn, caller.name, caller.district, discovered_id, now)
        return discovery.claim_discovered(conn, discovered_id)

    return change(caller, work, once=once)


def take_out_of_service(
    caller: Caller, code: str, request: OutOfServiceRequest, once: Once | None
) -> StoredAnswer:
    """No alarms until it is due back; answers with the device."""
    steps = parts().ports.registry

    def step(conn: Connection, now: datetime) -> None:
        steps.take_out_of_service(conn, caller.name, caller.district, code, request, now)

    return _change(caller, code, step, once)


def return_to_service(caller: Caller, code: str, version: int, once: Once | None) -> StoredAnswer:
    """It counts again; answers with the device."""
    steps = parts().ports.registry

    def step(conn: Connection, now: datetime) -> None:
        steps.return_to_service(conn, caller.name, caller.district, code, version=version, now=now)

    return _change(caller, code, step, once)


def replace(caller: Caller, code: str, request: ReplaceRequest, once: Once | None) -> StoredAnswer:
    """Exchange the hardware; answers with the device and what the new one may still bring."""

    def work(conn: Connection, now: datetime) -> Any:
        parts().ports.registry.replace(conn, caller.name, caller.district, code, request, now)
        return _registered(conn, caller, code, now)

    return change(caller, work, once=once)


def _change(caller: Caller, code: str, step: Work, once: Once | None) -> StoredAnswer:
    def work(conn: Connection, now: datetime) -> listings.ListedDevice:
        step(conn, now)
        return listings.find_device(conn, caller.scope, code, now)

    return change(caller, work, once=once)


def _registered(conn: Connection, caller: Caller, code: str, now: datetime) -> dict[str, Any]:
    device = listings.find_device(conn, caller.scope, code, now)
    waiting = discovery.count_stranger_rejects(conn, device.format, _names(device))
    return {"device": device, "rejects_waiting": waiting}


def _names(device: listings.ListedDevice) -> list[str]:
    """What its messages may have called it."""
    return [device.code, device.external_id] if device.external_id else [device.code]


def identities(caller: Caller, code: str) -> list[dict[str, Any]]:
    """Every hardware that stood under this code, the present one first."""
    with transaction(parts().pool) as conn:
        if caller.within is not None:
            listings.find_device(conn, caller.scope, code, datetime.now(UTC))  # refuses others
        rows = as_plain(list_identities(conn, caller.district, code))
    return [{"from": row.pop("from_"), **row} for row in rows]


def replay(caller: Caller, code: str, after: int, now: datetime) -> dict[str, Any]:
    """Try again what a device sent before it was registered, in the order it came.

    Each message is a transaction of its own. `last` is where to go on, `remaining` what waits
    behind it.
    """
    found = parts()
    with transaction(found.pool) as conn:
        device = listings.find_device(conn, caller.scope, code, now)
        names = _names(device)
        waiting = discovery.list_stranger_rejects(
            conn, device.format, names, after=after, limit=REPLAY_MAX
        )
    replayed = found.ports.quarantine.replay_group(
        lambda: transaction(found.pool), waiting, now
    ).stored
    last = waiting[-1] if waiting else after
    with transaction(found.pool) as conn:
        remaining = discovery.count_stranger_rejects(conn, device.format, names, after=last)
        seq = last_seq(conn)
    publish_event_seq(found.redis, seq)
    wake(found.redis, "evaluate")
    return {
        "device": code, "replayed": replayed, "refused": len(waiting) - replayed, "last": last,
        "remaining": remaining,
    }  # fmt: skip


def import_file(
    caller: Caller,
    name: str,
    content: bytes,
    *,
    dry_run: bool,
    datum: str | None,
    once: Once | None,
) -> StoredAnswer:
    """Register what is right in a file, into the caller's district; a dry run only reports."""

    def work(conn: Connection, now: datetime) -> Any:
        report = parts().ports.registry.import_content(
            conn, name, content, dry_run=dry_run, now=now,
            district=caller.district, actor=caller.name, datum=datum,
        )  # fmt: skip
        return _report(name, report)

    return change(caller, work, once=once)


def _report(name: str, report: ImportReport) -> dict[str, Any]:
    shown = report.faults[:FAULTS_SHOWN]
    return {
        "file": name,
        "rows": report.rows,
        "imported": report.imported,
        "faulty_rows": report.faulty_rows,
        "dry_run": report.dry_run,
        "encoding": report.encoding,
        "datums": list(report.datums),
        "faults": [
            {
                "row": fault.row, "field": fault.field, "value": fault.value,
                "problem": fault.problem, "code": fault.code, "facts": dict(fault.facts),
            }
            for fault in shown
        ],
        "faults_left_out": len(report.faults) - len(shown),
    }  # fmt: skip
