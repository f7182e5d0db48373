"""Keeps in memory who may report: read again when it changed or somebody is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from city.device import normal_identity
from db.device_changes import list_replaced
from db.devices import RegistryChanges, find_registered, list_registered, list_squad_districts
from db.feeds import bind_devices, list_bindings
from db.pool import Connection
from ingest.reporters import Reporters

# A change is told at once by the database; this finds what a lost connection kept from us.
RELOAD_AFTER_S = 60.0
# How often the server is asked whether the registry changed, and an unknown identity is looked
# up: a device imported now is known a second later, and a flood of strangers costs one query.
ASK_EVERY_S = 1.0
# Unknown identities remembered, so that made-up ones cannot fill the memory.
STRANGERS_MAX = 50_000


class ReportersReader:
    """Keeps a `Reporters` true to the database; `at` is any clock that only goes forward."""

    def __init__(self, conn: Connection, at: float) -> None:
        self._changes = RegistryChanges(conn)
        self._asked_at = at
        self._load(conn, at)

    def current(self, conn: Connection, at: float) -> Reporters:
        """The registry, read again if somebody changed it."""
        if at - self._asked_at >= ASK_EVERY_S:
            self._asked_at = at
            if self._changes.take() or at - self._loaded_at >= RELOAD_AFTER_S:
                self._load(conn, at)
        return self.registry

    def meet(self, conn: Connection, identities: Iterable[tuple[str, str]], at: float) -> None:
        """Look for identities that nobody knows, each at most once in `ASK_EVERY_S`."""
        unknown = {
            (name, normal_identity(identity))
            for name, identity in identities
            if self.registry.find(name, identity) is None
        }
        due = [key for key in unknown if at - self._strangers.get(key, -ASK_EVERY_S) >= ASK_EVERY_S]
        if not due:
            return
        if len(self._strangers) + len(due) > STRANGERS_MAX:
            self._strangers.clear()
        self._strangers.update(dict.fromkeys(due, at))
        self.registry.add(find_registered(conn, sorted({identity for _, identity in due})))

    def bind(self, conn: Connection, claims: Mapping[int, str]) -> None:
        """Settle through which feed these devices speak."""
        if claims:
            self.bound |= bind_devices(conn, claims)

    def _load(self, conn: Connection, at: float) -> None:
        self.registry = Reporters(
            list_registered(conn), list_squad_districts(conn), list_replaced(conn)
        )
        self.bound = list_bindings(conn)
        self._strangers: dict[tuple[str, str], float] = {}
        self._loaded_at = at
