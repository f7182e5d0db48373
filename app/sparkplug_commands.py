"""`gridwarden sparkplug`: edge nodes, and whether they are asked for their births."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from app.commands import district_of, installation, transaction
from app.settings import Settings
from city.errors import InvalidInput, NotFound
from city.event import NewEvent
from city.message import NewMessage
from db import outbox, sparkplug
from db.events import append_events
from ingest.formats.sparkplug_sessions import pass_time
from wire.industry.sparkplug import rebirth_topic
from wire.industry.sparkplug_payload import rebirth_command


@click.group("sparkplug")
def sparkplug_group() -> None:
    """Sparkplug edge nodes."""


@sparkplug_group.command("list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 10_000))
@installation
def list_nodes(settings: Settings, limit: int) -> None:
    """Those that left a request for births unanswered first, then the longest unheard."""
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        setting = sparkplug.rebirth_setting(conn)
        nodes = sparkplug.list_nodes(conn, limit)
    click.echo(f"births are asked for: {setting}")
    for node in (pass_time(stored, now) for stored in nodes):
        state = "online" if node.online else "offline"
        asked = ""
        if node.rebirth_unanswered:
            asked = f"  not answered since {node.rebirth_asked_at:%Y-%m-%dT%H:%M:%SZ}"
        click.echo(
            f"{node.group_id}/{node.edge_id}  {state}  heard {node.heard_at:%Y-%m-%dT%H:%M:%SZ}"
            f"  bdSeq {'-' if node.bd_seq is None else node.bd_seq}{asked}"
        )


@sparkplug_group.command("ask")
@click.argument("choice", type=click.Choice([sparkplug.ONCE, sparkplug.NEVER]))
@installation
def ask(settings: Settings, choice: str) -> None:
    """Whether births are asked for by themselves: `once` (until a request is left unanswered) or
    `never`. In force for all workers at once."""
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        before = sparkplug.rebirth_setting(conn)
        sparkplug.save_rebirth_setting(conn, choice, now)
        changed = NewEvent(
            at=now,
            district=district_of(conn, settings),
            kind="setting.changed",
            subject=f"setting:{sparkplug.REBIRTH_SETTING}",
            actor="cli",
            payload={"from": before, "to": choice},
        )
        append_events(conn, [changed])
    click.echo(f"births are asked for: {choice}")


@sparkplug_group.command("rebirth")
@click.argument("edge_node", metavar="GROUP/EDGE")
@installation
def rebirth(settings: Settings, edge_node: str) -> None:
    """Ask one edge node for its births now, also one that did not answer before."""
    key = tuple(edge_node.split("/"))
    if len(key) != 2:
        raise InvalidInput("edge node", edge_node, "must be GROUP/EDGE")
    now = datetime.now(UTC)
    with transaction(settings) as conn:
        if not sparkplug.note_request(conn, key, now):
            raise NotFound("edge node", edge_node)
        topic = rebirth_topic(*key)
        outbox.withdraw(conn, [topic])
        outbox.insert_messages(conn, [NewMessage(topic, rebirth_command(now), now)])
    click.echo(f"{edge_node} is asked for its births; `gridwarden sparkplug list` shows the answer")
