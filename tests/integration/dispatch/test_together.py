"""Several cases at once: each has its own answer, and red gas is never among them."""

from __future__ import annotations

from typing import Any

import pytest

from city.errors import Conflict, Forbidden, InvalidInput, NotFound
from city.incident import Action, IncidentState, SeenIncident
from city.person import Caller
from city.requests import TogetherRequest
from db import events
from dispatch import steps
from tests.integration.dispatch.town import CHECKER, DISPATCHER, City
from tests.unit.dispatch.test_together import LEFT_HERE

COVER = "0101"


def together(
    town: City, who: Caller, action: Action, ids: list[int], **more: Any
) -> dict[int, object]:
    """What each was refused for, by its id; None where it was done."""
    seen = [SeenIncident(one, town.incident(one).version) for one in ids]
    request = TogetherRequest(action, more.pop("incidents", seen), **more)
    done = steps.act_together(town.conn, who, request, town.now)
    assert [one.incident_id for one in done] == [one.id for one in request.incidents]
    return {one.incident_id: one.refused for one in done}


def filed(town: City, name: str, **alarm: Any) -> int:
    """A case of a device of its own: alarms of one device are one case."""
    row = town.conn.execute(
        "SELECT min(id) FROM device WHERE id NOT IN (SELECT device_id FROM alarm)"
    ).fetchone()
    assert row is not None
    return town.new_filed(condition=f"test/{name}", device_id=row[0], **alarm)


def sent(town: City, name: str, **alarm: Any) -> int:
    incident = filed(town, name, **alarm)
    town.do(DISPATCHER, incident, Action.DISPATCH, squad=town.gas_squad, note="test")
    return incident


def checked(town: City, name: str, lat: float) -> int:
    """A case of a cover, there to be closed."""
    incident = sent(town, name, category=COVER, severity=3, lat=lat)
    town.do(town.leader, incident, Action.ACKNOWLEDGE)
    town.do(town.leader, incident, Action.ARRIVE)
    town.add(town.leader, incident, "photo_after", shade=incident % 200)
    town.do(town.leader, incident, Action.HANDLE, note="cover put back")
    town.do(CHECKER, incident, Action.CHECK)
    town.add(CHECKER, incident, "check_photo", shade=incident % 200 + 1)
    town.conn.execute(
        "UPDATE alarm SET state = 'normal', ended_at = %s, cleared_at = %s WHERE condition = %s",
        (town.now, town.now, f"test/{name}"),
    )
    return incident


def test_what_is_refused_of_one_stops_no_other_and_leaves_nothing_behind(town: City) -> None:
    cover = sent(town, "a", category=COVER, severity=3, lat=20.01)
    yellow_gas = sent(town, "b", lat=20.02)
    red_gas = sent(town, "c", severity=1, lat=20.03)
    waits = filed(town, "d", category=COVER, severity=3, lat=20.04)
    seen = [SeenIncident(one, town.incident(one).version) for one in (cover, red_gas, waits)]
    asked = [*seen, SeenIncident(yellow_gas, 1), SeenIncident(2**40, 1)]
    refused = together(town, town.leader, Action.ACKNOWLEDGE, [], incidents=asked)
    assert refused[cover] is None
    assert isinstance(refused[red_gas], Conflict)
    assert refused[red_gas].current["refused"] == "red_gas_alone"
    assert isinstance(refused[waits], Conflict | Forbidden)
    assert isinstance(refused[yellow_gas], Conflict)  # somebody changed it meanwhile
    assert isinstance(refused[2**40], NotFound)
    assert town.incident(cover).state is IncidentState.ACKNOWLEDGED
    assert town.incident(red_gas).state is IncidentState.DISPATCHED
    (told,) = events.list_newest(town.conn, f"incident:{cover}", kind="incident.acknowledged")
    assert told.payload["together"] == 5
    assert together(town, town.leader, Action.ACKNOWLEDGE, [yellow_gas]) == {yellow_gas: None}


def test_a_red_alarm_makes_gas_red_whatever_the_case_was(town: City) -> None:
    case = sent(town, "orange")
    town.conn.execute("UPDATE alarm SET severity = 1 WHERE condition = 'test/orange'")
    refused = together(town, town.leader, Action.ACKNOWLEDGE, [case])[case]
    assert isinstance(refused, Conflict)


def test_several_are_merged_into_one_and_into_red_gas_none(town: City) -> None:
    names = "abc"
    first, second, third = (
        filed(town, n, category=COVER, severity=3, lat=20.01 + i / 100) for i, n in enumerate(names)
    )
    done = together(town, DISPATCHER, Action.MERGE, [second, third], into=first, reason="one lorry")
    assert done == {second: None, third: None}
    assert [town.incident(one).merged_into for one in (second, third)] == [first, first]
    red = filed(town, "red", severity=1, lat=20.05)
    with pytest.raises(InvalidInput, match="into: is red gas"):
        together(town, DISPATCHER, Action.MERGE, [first], into=red, reason="one lorry")
    assert town.incident(first).is_open


def test_cases_of_one_cause_are_closed_and_no_other(town: City) -> None:
    near, nearer = checked(town, "near", 20.0), checked(town, "nearer", 20.0003)
    far = checked(town, "far", 20.05)
    with pytest.raises(InvalidInput, match="note: is required"):
        together(town, CHECKER, Action.CLOSE, [near, nearer])
    mine = together(town, town.leader, Action.CLOSE, [near], note="who did the work checks nothing")
    assert isinstance(mine[near], Forbidden)
    refused = together(town, CHECKER, Action.CLOSE, [near, nearer, far], note=LEFT_HERE)
    assert (refused[near], refused[nearer]) == (None, None)
    assert isinstance(refused[far], Conflict)
    assert refused[far].current["refused"] == "other_cause"
    assert town.incident(nearer).state is IncidentState.CLOSED
    assert town.incident(far).state is IncidentState.CHECKING
