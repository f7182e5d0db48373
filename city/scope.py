"""What of a district somebody sees and may act on: all of it, or some of its divisions."""

from __future__ import annotations

from dataclasses import dataclass

from city.errors import Forbidden


@dataclass(frozen=True, slots=True)
class Within:
    """Divisions that somebody is bounded to: their names, and the codes of them and of all below.

    Without a code nothing lies within: a division that is gone opens nothing.
    """

    names: tuple[str, ...]
    codes: frozenset[str]

    def __str__(self) -> str:
        return "、".join(self.names)


@dataclass(frozen=True, slots=True)
class Scope:
    """`within` None: the whole district."""

    district: str
    within: Within | None = None

    @property
    def whole(self) -> Scope:
        return Scope(self.district)

    @property
    def codes(self) -> list[str] | None:
        """The divisions as SQL takes them."""
        return None if self.within is None else sorted(self.within.codes)

    def refusal(self, what: str, key: object) -> Forbidden:
        """Why somebody may not look at or touch this: it lies elsewhere."""
        return Forbidden(f"{what} {key} lies outside {self.within}")
