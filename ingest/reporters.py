"""Who may report: the registry in memory, read again when it changed or somebody is unknown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from city.device import normal_identity
from city.reading import REASON_DEVICE_REPLACED, REASON_DEVICE_UNKNOWN, Decoded, Reject
from db.device_changes import list_replaced
from db.devices import (
    RegisteredDevice,
    RegistryChanges,
    find_registered,
    list_registered,
    list_squad_districts,
)
from db.pool import Connection

# A change is told at once by the database; this finds what a lost connection kept from us.
RELOAD_AFTER_S = 60.0
# How often the server is asked whether the registry changed, and an unknown identity is looked
# up: a device imported now is known a second later, and a flood of strangers costs one query.
ASK_EVERY_S = 1.0
# Unknown identities remembered, so that made-up ones cannot fill the memory.
STRANGERS_MAX = 50_000


class Registry:
    """Registered devices by format and identity, and the squads that report where they are."""

    def __init__(
        self,
        devices: Iterable[RegisteredDevice],
        squads: Mapping[str, str] | None = None,
        replaced: Mapping[tuple[str, str], str] | None = None,
    ) -> None:
        self._devices: dict[tuple[str, str], RegisteredDevice] = {}
        self._squads = dict(squads or {})
        self._replaced = dict(replaced or {})
        self.add(devices)

    def add(self, devices: Iterable[RegisteredDevice]) -> None:
        """A device answers to its external identity and to its code, in its own format."""
        for device in devices:
            self._devices[device.format, normal_identity(device.code)] = device
            if device.external_id:
                self._devices[device.format, normal_identity(device.external_id)] = device

    def find(self, format_name: str, identity: str) -> RegisteredDevice | None:
        """The device that messages of this format mean by this identity."""
        found = self._devices.get((format_name, identity))
        return found or self._devices.get((format_name, normal_identity(identity)))

    def explain(self, decoded: Decoded, reject: Reject) -> Reject:
        """Hardware that was exchanged and still reports is not unknown: says whose it was."""
        key = decoded.format, normal_identity(decoded.device)
        if reject.reason != REASON_DEVICE_UNKNOWN or key not in self._replaced:
            return reject
        detail = f"{decoded.device!r} was exchanged at {self._replaced[key]} for other hardware"
        return Reject(REASON_DEVICE_REPLACED, detail)

    def squad_district(self, squad: str) -> str | None:
        """The district of a known squad."""
        return self._squads.get(squad)


class RegistryReader:
    """Keeps a `Registry` true to the database; `at` is any clock that only goes forward."""

    def __init__(self, conn: Connection, at: float) -> None:
        self._changes = RegistryChanges(conn)
        self._asked_at = at
        self._load(conn, at)

    def current(self, conn: Connection, at: float) -> Registry:
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

    def _load(self, conn: Connection, at: float) -> None:
        self.registry = Registry(
            list_registered(conn), list_squad_districts(conn), list_replaced(conn)
        )
        self._strangers: dict[tuple[str, str], float] = {}
        self._loaded_at = at
