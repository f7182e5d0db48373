"""The operations of squads, rosters and duty, as OpenAPI describes them."""

from __future__ import annotations

from city.requests import DutyChangeRequest
from city.stand_in import StandIn
from dashboard.api import squads
from dashboard.api.duty_shapes import DutyAnswer, RosterAnswer
from dashboard.api.operation import PAGING, Operation, as_filters, as_moment, as_text
from dashboard.api.shapes import WaitingAnswer
from dashboard.api.squads import SquadItem

DUTY_OPERATIONS = (
    Operation("get", "/squads", "Squads with position, duty and load", SquadItem, listed=True,
              query={**PAGING, **as_filters(squads.SQUAD_FILTERS)}),
    Operation("get", "/duty", "Who was on duty at a moment, as it was entered then", DutyAnswer,
              query={"at": as_moment("the moment; now without it")}),
    Operation("get", "/roster", "A week of all squads, from its Monday on", RosterAnswer,
              query={"from": as_text("a day of the week; today's without it", format="date")}),
    Operation("get", "/roster/stand-ins", "Who could take a duty, those who may first", StandIn,
              listed=True,
              query={"squad": as_text("code of the squad", required=True),
                     "day": as_text("the day on which it begins", required=True, format="date"),
                     "start": as_text("HH:MM", required=True)}),
    Operation("post", "/roster/changes", "Leave or a swap of duties; a second person agrees",
              WaitingAnswer, body=DutyChangeRequest, status="202"),
)  # fmt: skip
