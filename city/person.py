"""Who is asking: a signed-in user, a token, or the system itself."""

from __future__ import annotations

from dataclasses import dataclass

from city.incident import Role
from city.scope import Scope, Within

# Who decides who may come in.
ADMINISTRATORS = (Role.ADMIN,)
# Who is duty chief (值班长): lets a case be returned, postponed, suspended; publishes key figures.
DUTY_CHIEFS = (Role.LEADER, Role.ADMIN)
# They answer for the whole district.
UNBOUNDED = frozenset({Role.ADMIN})


@dataclass(frozen=True, slots=True)
class Caller:
    """`name` is written into every event; tokens appear as `token:NAME`. `within` None: bounded by
    nothing but the district."""

    name: str
    role: Role
    district: str
    squad: str | None = None
    within: Within | None = None

    @property
    def scope(self) -> Scope:
        """What they see and may act on."""
        return Scope(self.district, self.within)


def system_caller(district: str) -> Caller:
    return Caller("system", Role.SYSTEM, district)
