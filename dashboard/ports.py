"""What the screens may do to alarms, incidents and devices; the application hands it in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ports:
    """Steps of the sibling packages; each takes an open connection and never commits."""

    # Builders of the request values that `act` and `report` take, by keyword.
    action_request: Callable[..., Any]
    report_request: Callable[..., Any]
    # Incidents: (conn, caller, incident_id, request, now), (conn, caller, request, now) -> id,
    # (conn, caller, incident_id, now) -> view, (conn, incident_id, now) -> ranked squads,
    # (conn, caller, incident_id, stage, filename, media_type, content, now) -> id.
    act: Callable[..., None]
    report: Callable[..., int]
    view: Callable[..., Any]
    rank_squads: Callable[..., list[Any]]
    add_evidence: Callable[..., int]
    # Alarms: (conn, caller, alarm_id, version, now), shelve with (…, until, reason, now).
    acknowledge: Callable[..., Any]
    shelve: Callable[..., Any]
    unshelve: Callable[..., Any]
    reset: Callable[..., Any]
    # (conn, caller, camera_id, event_id, verdict, note, now)
    review_video_event: Callable[..., Any]
    # (conn, name, content, *, dry_run, now, district, actor) -> report
    import_devices: Callable[..., Any]
    # The registry: () -> words of a form; (conn, actor, district, discovered_id, wanted, now) ->
    # code; (conn, actor, district, discovered_id, now); (conn, actor, district, code, …) for the
    # steps of a device.
    registry_words: Callable[[], Any]
    approve_device: Callable[..., str]
    ignore_device: Callable[..., None]
    take_out_of_service: Callable[..., None]
    return_to_service: Callable[..., None]
    replace_device: Callable[..., None]
    # Quarantine: (conn, kept) -> JSON of what is understood now,
    # (conn, kept, now) -> [(reason, detail)] why it would be refused now, and for many
    # (begin, ids, now) -> counts, each in a transaction of its own that `begin` opens.
    decode: Callable[..., dict[str, Any]]
    refusals: Callable[..., list[tuple[str, str]]]
    replay_group: Callable[..., Any]
