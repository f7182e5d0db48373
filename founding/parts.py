"""What a city is made of, in its folder and in the database: frozen values. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from typing import Any, Generic, Protocol, TypeVar

from city.act_time import DEFAULT_PHONE_HOURS
from city.area import Area
from city.category import Category
from city.certificate import Certificate
from city.clock import DEFAULT_WINDOWS, Limit
from city.delivery import Channel, EscalationStep
from city.errors import InvalidInput
from city.feed import Feed
from city.place import Division, LonLat
from city.register import Register, RegisterEntry
from city.roster import Duty
from city.squad import Shift
from city.video import VideoLimit
from founding.datums import Datums

T = TypeVar("T")
Window = tuple[time, time]

DISTRICT, STREET, COMMUNITY = "district", "street", "community"
# From the top; a city may name more, but not without these.
DEFAULT_LEVELS = (DISTRICT, STREET, COMMUNITY)
# How many digits an official code of these has.
OFFICIAL_DIGITS = {DISTRICT: 6, STREET: 9, COMMUNITY: 12}
# Values longer than this are cut in a report.
SHOWN_MAX = 80


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a value of a file; `row` counts from 1 with the header, None: no table."""

    file: str
    row: int | None
    field: str
    value: str
    problem: str

    def __str__(self) -> str:
        where = [self.file]
        if self.row is not None:
            where.append(f"row {self.row}")
        if self.field:
            where.append(self.field)
        got = f" (got {self.value[:SHOWN_MAX]!r})" if self.value else ""
        return f"{', '.join(where)}: {self.problem}{got}"


@dataclass(frozen=True, slots=True)
class Entry(Generic[T]):
    """A value and the row of its file."""

    row: int
    value: T


@dataclass(frozen=True, slots=True)
class District:
    """`outline` is a GeoJSON geometry, lon/lat; `calendar` the code of the one its clocks obey;
    `levels` are those of its divisions, from the top; `four_eyes`: a change of gas safety waits
    for a second person; `phone_hours`: what a phone without signal did so long ago is believed to
    have been then."""

    code: str
    name_zh: str
    name_en: str
    timezone: str
    languages: tuple[str, ...]
    calendar: str
    outline: Mapping[str, Any]
    levels: tuple[str, ...] = DEFAULT_LEVELS
    four_eyes: bool = False
    phone_hours: int = DEFAULT_PHONE_HOURS


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell of the unit grid: edges in degrees, rows count from the south. `division` is the
    lowest one it lies in: its community, or one below."""

    code: str
    street: str
    community: str
    division: str
    column: int
    row: int
    west: float
    south: float
    east: float
    north: float


@dataclass(frozen=True, slots=True)
class Raster:
    """Where the cells of a grid lie: its south-west corner and the size of a cell, degrees."""

    west: float
    south: float
    cell_lon: float
    cell_lat: float


@dataclass(frozen=True, slots=True)
class DutyGrid:
    """责任网格: it has the cells of these divisions and of all below them."""

    code: str
    name: str
    divisions: frozenset[str]


@dataclass(frozen=True, slots=True)
class SquadPart:
    """`grids` are the codes of the duty grids it answers for; in a folder also those of
    divisions, and none at all means every duty grid."""

    code: str
    name_zh: str
    name_en: str
    kind: str
    skills: frozenset[str]
    phone: str
    grids: frozenset[str]
    shifts: tuple[Shift, ...]
    home: LonLat | None


@dataclass(frozen=True, slots=True)
class Person:
    """`divisions` bound what they see and may act on, none at all mean the whole district; None
    says nothing of it."""

    name: str
    role: str
    squad: str | None
    display_name: str
    divisions: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class RosterRow:
    """A duty of a squad."""

    squad: str
    duty: Duty


@dataclass(frozen=True, slots=True)
class LimitRow:
    """Allowed time of a clock; `category` is named where the clock is that of handling."""

    clock: str
    category: str
    limit: Limit
    source: str


@dataclass(frozen=True, slots=True)
class CalendarPart:
    """`years` holds for each year that has a file every day that differs from Monday to Friday."""

    code: str
    years: Mapping[int, Mapping[date, bool]]
    windows: tuple[Window, ...] = DEFAULT_WINDOWS


@dataclass(frozen=True, slots=True)
class ModelPart:
    """A device model of a city's own: the TOML text of its file, and the codec's JavaScript."""

    name: str
    text: str
    codec: str


@dataclass(frozen=True, slots=True)
class PipeSection:
    """A section of a gas pipe; `line` are its points, lon/lat in WGS-84."""

    code: str
    pressure: str
    material: str
    year: int | None
    diameter_mm: int | None
    line: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class RegisterPart:
    """A register: `text` is the city's own definition, None where it has the shipped one;
    `entries` by code, None where the city says nothing of them."""

    register: Register
    text: str | None
    entries: Mapping[str, RegisterEntry] | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A folder as its files say it, each for itself; None: there is no such file."""

    district: District | None = None
    windows: tuple[Window, ...] = DEFAULT_WINDOWS
    datums: Datums = field(default_factory=Datums)
    divisions: tuple[Entry[Division], ...] = ()
    points: Mapping[str, LonLat] = field(default_factory=dict)
    outlines: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    duty_grids: tuple[Entry[DutyGrid], ...] | None = None  # one for each community
    has_grid: bool = False
    raster: Raster | None = None  # None: 100 m cells from the corner of the boundary
    cells: tuple[Entry[Cell], ...] | None = None  # the city's own
    cells_file: str = ""
    squads: tuple[Entry[SquadPart], ...] = ()
    people: tuple[Entry[Person], ...] = ()
    rosters: tuple[Entry[RosterRow], ...] | None = None  # as they are
    certificates: tuple[Entry[Certificate], ...] | None = None
    run_cards: Mapping[str, str] | None = None  # text by code
    categories: tuple[Entry[Category], ...] | None = None
    limits: tuple[Entry[LimitRow], ...] = ()
    years: Mapping[int, Mapping[date, bool]] = field(default_factory=dict)
    rules: Mapping[str, str] = field(default_factory=dict)  # text by file
    programmes: Mapping[str, str] = field(default_factory=dict)  # TOML by code
    assignments: tuple[Entry[LampAssignment], ...] | None = None
    feeds: tuple[Entry[Feed], ...] | None = None
    models: Mapping[str, ModelPart] | None = None
    pipes: tuple[Entry[PipeSection], ...] | None = None
    areas: tuple[Entry[Area], ...] | None = None
    video_limits: tuple[Entry[VideoLimit], ...] | None = None
    channels: tuple[Entry[Channel], ...] | None = None
    escalation: tuple[Entry[EscalationStep], ...] | None = None
    # Files of registers, which are read once the definitions that ship are known.
    register_files: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StageLimit:
    clock: str
    limit: Limit
    source: str


@dataclass(frozen=True, slots=True)
class LampAssignment:
    """Lamps that follow a programme: of a street, a cabinet, one, or all of the district."""

    target: str
    code: str  # '' of the district
    programme: str

    @property
    def name(self) -> str:
        return f"{self.target} {self.code}".strip()


@dataclass(frozen=True, slots=True)
class City:
    """A whole city, everything by its code. Versions of categories are 0: they belong to the
    database alone. `rules` are the texts of its own rules, `programmes` those of its lighting
    programmes, `rosters` the duties of the squads that have a roster, `outlines` geometries of
    divisions. Of rosters, certificates, run cards, feeds, models, pipes, outlines, areas, video
    limits, channels, escalation and `assignments` (which lamps follow what, by their name) None
    says that they stay as they are."""

    district: District
    divisions: Mapping[str, Division]
    duty_grids: Mapping[str, DutyGrid]
    cells: Mapping[str, Cell]
    squads: Mapping[str, SquadPart]
    people: Mapping[str, Person]
    categories: Mapping[str, Category]
    stage_limits: Mapping[str, StageLimit]
    calendar: CalendarPart
    rules: Mapping[str, str]
    feeds: Mapping[str, Feed] | None = None  # the shipped ones among them
    models: Mapping[str, ModelPart] | None = None
    pipes: Mapping[str, PipeSection] | None = None
    outlines: Mapping[str, Mapping[str, Any]] | None = None
    areas: Mapping[str, Area] | None = None
    video_limits: Mapping[str, VideoLimit] | None = None
    channels: Mapping[str, Channel] | None = None
    escalation: Mapping[str, EscalationStep] | None = None  # every step
    rosters: Mapping[str, tuple[Duty, ...]] | None = None
    certificates: Mapping[str, tuple[Certificate, ...]] | None = None  # by person
    run_cards: Mapping[str, str] | None = None  # text by code
    registers: Mapping[str, RegisterPart] = field(default_factory=dict)
    programmes: Mapping[str, str] = field(default_factory=dict)
    assignments: Mapping[str, LampAssignment] | None = None

    @property
    def communities(self) -> list[str]:
        return sorted(code for code, d in self.divisions.items() if d.level == COMMUNITY)


class RuleFacts(Protocol):
    """What this package has to know of a rule."""

    @property
    def code(self) -> str: ...

    @property
    def category(self) -> str: ...


# Text and name of a file to a rule; raises `InvalidInput`.
ParseRule = Callable[[str, str], RuleFacts]
# Text and name of a file to everything that is wrong with it.
FindFaults = Callable[[str, str], Sequence[InvalidInput]]
# Name, text and codec of a device model; raises `InvalidInput`.
CheckModel = Callable[[str, str, str], object]


@dataclass(frozen=True, slots=True)
class Shipped:
    """What comes with the product and holds where a folder says nothing."""

    categories: Mapping[str, Category]
    stage_limits: Mapping[str, StageLimit]
    rules: Mapping[str, str]  # category by code
    calendars: frozenset[str]
    parse_rule: ParseRule
    check_model: CheckModel
    rule_faults: FindFaults = lambda text, file: ()
    video_types: Sequence[str] = ()
    registers: Mapping[str, Register] = field(default_factory=dict)


def city_above(district: str) -> str:
    """Code of the city that a district lies in. 东莞, 中山 and 儋州 have no districts: they have
    the code of their city and lie in the province."""
    city = f"{district[:4]}00"
    return city if city != district else f"{district[:2]}0000"
