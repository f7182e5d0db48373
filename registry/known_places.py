"""Ask a person in which datum a file is, where its positions do not fit what is known."""

from __future__ import annotations

from collections.abc import Sequence

from shapely.geometry import shape

from city.errors import Conflict
from db.devices import DistrictOutline, list_places
from db.pool import Connection
from db.seeds import streets
from registry.datum_question import Given, Known, find_question


def ask_for_datum(
    conn: Connection, districts: Sequence[DistrictOutline], given: Sequence[Given]
) -> None:
    """A Conflict with the question under `datum_question`, if there is one."""
    if not given:
        return
    question = find_question(given, _known(conn, districts))
    if question is not None:
        raise Conflict(question.as_text(), current={"datum_question": question.as_json()})


def _known(conn: Connection, districts: Sequence[DistrictOutline]) -> Known:
    found = list_places(conn, [district.code for district in districts])
    # The network of the demonstration is invented, as are the devices that stand along it.
    network = streets()["features"] if found.has_demo else []
    return Known(
        [shape(district.outline).buffer(0) for district in districts],  # a ring may touch itself
        found.places,
        [shape(feature["geometry"]) for feature in network],
    )
