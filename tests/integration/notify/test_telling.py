"""Who is told of a case, once, and by whom it is known."""

from __future__ import annotations

from datetime import time, timedelta
from itertools import pairwise

import pytest

from city.alarm import AlarmChangeKind
from city.delivery import ChannelKind, ChannelMode, Contact, Step
from city.incident import Action, Role
from city.intake import Channel as WayIn
from city.intake_requests import IntakeRequest, ReplyRequest
from city.roster import Duty
from city.scope import Scope
from db import contacts, deadlines, intake, rosters
from db.events import list_events, verify_chain
from dispatch import steps as dispatch_steps
from notify import steps
from tests.integration.dispatch.town import DISPATCHER, DISTRICT, caller
from tests.integration.notify.desk import Desk
from tests.integration.notify.servers import Relay, Web

UNUSED = "smtp://127.0.0.1:9"


def new_case(desk: Desk, **alarm: object) -> int:
    return desk.town.new_filed(**alarm)


def test_an_alarm_is_told_to_the_dispatchers_who_are_there_once(desk: Desk, relay: Relay) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    desk.person("he", Role.DISPATCHER, here=False)
    case = new_case(desk)
    desk.follow()
    desk.follow()
    desk.send(mail)
    (row,) = desk.rows(step="opened")
    assert (row.person, row.state, row.tries) == ("ma", "sent", 1)
    (message,) = relay.taken
    number = desk.town.incident(case).number
    assert number in str(message["Subject"])
    assert f"https://city.example/m/{row.token}" in message.get_content()
    assert message["Message-ID"] == f"<{row.token}@city.example>"


def test_the_case_says_who_was_told_and_the_log_proves_it(desk: Desk, relay: Relay) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    case = new_case(desk)
    desk.follow()
    desk.send(mail)
    (row,) = desk.rows()
    told = [e for e in list_events(desk.town.conn, limit=100_000) if e.kind == "incident.told"]
    assert told[-1].subject == f"incident:{case}"
    assert told[-1].payload["people"] == ["ma"]
    sent = list_events(desk.town.conn, subject=f"delivery:{row.id}", limit=10)
    assert [(e.kind, e.payload["person"]) for e in sent] == [("message.sent", "ma")]
    assert "city.example" not in str(sent[0].payload)
    assert verify_chain(desk.town.conn).broken_at is None


def test_without_a_channel_nothing_is_queued(desk: Desk) -> None:
    desk.person("ma", Role.DISPATCHER)
    new_case(desk)
    desk.follow()
    assert desk.rows() == []


def test_who_is_bounded_to_another_street_is_not_told(desk: Desk) -> None:
    desk.mail(UNUSED)
    case = desk.town.incident(new_case(desk))
    assert case.street
    others = "SELECT code FROM division WHERE level = 'street' AND code <> %s LIMIT 1"
    (other,) = desk.town.conn.execute(others, (case.street,)).fetchone() or ("",)
    for name, street in (("here", case.street), ("there", other)):
        desk.person(name, Role.DISPATCHER)
        bound = "UPDATE app_user SET divisions = %s WHERE name = %s"
        desk.town.conn.execute(bound, ([street], name))
    desk.follow()
    assert [row.person for row in desk.rows()] == ["here"]


def test_where_nobody_is_there_the_case_says_so(desk: Desk) -> None:
    desk.mail(UNUSED)
    desk.person("ma", Role.DISPATCHER, here=False)
    new_case(desk)
    desk.follow()
    (row,) = desk.rows()
    assert (row.state, row.problem, row.channel) == ("failed", "nobody", "")


def test_the_squad_that_is_sent_is_told_and_acknowledging_ends_it(desk: Desk, relay: Relay) -> None:
    mail = desk.mail(relay.url)
    leader = desk.person("chen", Role.SQUAD_LEADER, squad=desk.town.gas_squad)
    case = new_case(desk)
    desk.town.do(DISPATCHER, case, Action.DISPATCH, squad=desk.town.gas_squad)
    desk.follow()
    relay.answer = "451 try later"
    desk.send(mail)
    (row,) = desk.rows(step="dispatched", person=leader)
    assert (row.state, row.tries) == ("queued", 1)
    assert "451" in row.problem
    relay.answer = "250 OK"
    desk.town.do(desk.town.leader, case, Action.ACKNOWLEDGE)
    desk.town.later(minutes=1)
    desk.follow()
    desk.send(mail)
    (row,) = desk.rows(step="dispatched", person=leader)
    assert (row.state, row.problem) == ("withdrawn", "acknowledged")
    assert relay.taken == []


def test_nothing_rings_after_the_case_is_acknowledged(desk: Desk) -> None:
    """The clock of handling goes on, and whoever keeps it is told without being woken: by mail,
    not by text message."""
    desk.mail(UNUSED)
    desk.channel("sms", ChannelKind.SMS, secret="env:SMS")
    leader = desk.person("chen", Role.SQUAD_LEADER, squad=desk.town.gas_squad)
    contacts.save_contact(
        desk.town.conn, Contact(leader, "chen@city.example", phone="+8613800000000")
    )
    case = new_case(desk)
    desk.town.do(DISPATCHER, case, Action.DISPATCH, squad=desk.town.gas_squad)
    desk.follow()
    assert {r.kind for r in desk.rows(step="dispatched")} == {"email", "sms"}
    desk.town.do(desk.town.leader, case, Action.ACKNOWLEDGE)
    desk.follow()
    desk.step(Step.OVERDUE, "responsible")
    desk.town.later(days=3)
    contacts.begin_session(desk.town.conn, "again", leader, desk.town.now)
    desk.tick()
    after = [r for r in desk.rows(person=leader) if r.step not in ("opened", "dispatched")]
    assert after
    assert {r.clock for r in after} == {"handle"}
    assert {(r.kind, r.rings) for r in after} == {("email", False)}


def test_each_step_of_a_clock_is_told_once_and_in_its_order(desk: Desk) -> None:
    desk.mail(UNUSED)
    desk.person("ma", Role.DISPATCHER)
    new_case(desk)
    seen: list[str] = []
    for _ in range(400):
        desk.town.later(minutes=3)
        desk.tick()
        desk.tick()
        seen = [r.step for r in desk.rows() if r.person == "ma"]
        if "overdue" in seen:
            break
    assert seen == ["opened", "reminder", "overdue"]
    desk.town.later(days=30)
    contacts.begin_session(desk.town.conn, "again", "ma", desk.town.now)
    desk.tick()
    assert [r.step for r in desk.rows(person="ma")] == seen  # a case has cards when it is handled


def test_who_is_off_duty_by_the_roster_is_not_told(desk: Desk) -> None:
    """09:00 in Shanghai, a Wednesday."""
    desk.mail(UNUSED)
    squad = desk.town.gas_squad
    for name in ("early", "late", "gone"):
        desk.person(name, Role.SQUAD_LEADER, squad=squad, here=name != "gone")
    rosters.replace_roster(
        desk.town.conn,
        squad,
        [
            Duty("3", time(8), time(16), "early"),
            Duty("3", time(16), time(23), "late"),
        ],
    )
    case = new_case(desk)
    desk.town.do(DISPATCHER, case, Action.DISPATCH, squad=squad)
    desk.follow()
    assert [r.person for r in desk.rows(step="dispatched")] == ["early"]


def test_who_signs_out_before_the_message_goes_is_not_told(desk: Desk, relay: Relay) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    new_case(desk)
    desk.follow()
    contacts.end_session(desk.town.conn, "sid-ma", "ma")
    desk.send(mail)
    (row,) = desk.rows()
    assert (row.state, row.problem) == ("withdrawn", "not_there")
    assert relay.taken == []


@pytest.mark.parametrize(("severity", "state"), [(2, "queued"), (1, "sent")])
def test_quiet_hours_hold_everything_but_red_gas(
    desk: Desk, relay: Relay, severity: int, state: str
) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    contacts.save_contact(
        desk.town.conn,
        Contact("ma", "ma@city.example", quiet_from=time(22), quiet_to=time(9, 30)),
    )
    new_case(desk, severity=severity)
    desk.follow()
    desk.send(mail)
    (row,) = desk.rows(step="opened", person="ma")
    assert row.state == state
    desk.town.later(minutes=31)
    desk.send(mail)
    assert len(relay.taken) == 1


def test_an_inhibited_alarm_and_one_of_long_ago_tell_nobody(desk: Desk) -> None:
    """Whatever the log holds when messages begin."""
    desk.mail(UNUSED)
    desk.person("ma", Role.DISPATCHER)
    case = new_case(desk)
    desk.town.later(days=2)
    contacts.begin_session(desk.town.conn, "again", "ma", desk.town.now)
    desk.follow()
    assert desk.rows(incident_id=case) == []
    alarm = desk.town.raise_alarm("gas_silent/x", opens_incident=False)
    desk.town.change(alarm, AlarmChangeKind.ESCALATED)
    desk.town.take_all()
    desk.follow()
    assert desk.rows() == []


def test_whoever_says_that_they_know_is_not_woken_again(desk: Desk, relay: Relay) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    case = new_case(desk)
    desk.follow()
    desk.send(mail)
    me = caller("ma", Role.DISPATCHER)
    assert steps.acknowledge(desk.town.conn, me, case, desk.town.now) == 1
    (row,) = desk.rows()
    assert (row.state, row.acknowledged_by) == ("acknowledged", "ma")
    desk.step(Step.OVERDUE, "dispatcher")
    desk.town.later(hours=3)
    desk.tick()
    later = [r for r in desk.rows(person="ma") if r.step != "opened"]
    assert later
    assert not any(r.rings for r in later)


def test_a_link_counts_as_seen_by_its_reader_alone(desk: Desk, relay: Relay) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    case = new_case(desk)
    desk.follow()
    desk.send(mail)
    (row,) = desk.rows()
    other, me = caller("other", Role.LEADER), caller("ma", Role.DISPATCHER)
    assert steps.open_link(desk.town.conn, other, row.token, desk.town.now) == case
    assert desk.rows()[0].state == "sent"
    assert steps.open_link(desk.town.conn, me, row.token, desk.town.now) == case
    assert (desk.rows()[0].state, desk.rows()[0].seen_by) == ("seen", "ma")


def test_a_dry_run_writes_down_what_it_would_send(desk: Desk, relay: Relay) -> None:
    dry = desk.channel(
        "mail",
        ChannelKind.EMAIL,
        address=relay.url,
        sender="d@city.example",
        mode=ChannelMode.DRY_RUN,
    )
    desk.person("ma", Role.DISPATCHER)
    new_case(desk)
    desk.follow()
    desk.send(dry)
    (row,) = desk.rows()
    assert (row.state, row.problem) == ("withdrawn", "dry_run")
    assert row.title in row.text_sent
    assert relay.taken == []


def test_a_message_that_fails_for_longer_than_anybody_wants_it_is_given_up(
    desk: Desk, relay: Relay
) -> None:
    mail = desk.mail(relay.url)
    desk.person("ma", Role.DISPATCHER)
    new_case(desk)
    desk.follow()
    relay.answer = "451 later"
    ends = desk.rows()[0].expires_at
    tried = []
    while desk.town.now < ends + timedelta(minutes=10):
        if desk.send(mail):
            tried.append(desk.town.now)
        desk.town.later(seconds=1)
    (row,) = desk.rows()
    assert row.state == "failed"
    assert "451" in row.problem
    pauses = [(b - a).total_seconds() for a, b in pairwise(tried)]
    assert pauses[:5] == [2, 5, 15, 45, 120]


def test_a_message_that_is_tried_again_has_the_key_that_it_had(desk: Desk, web: Web) -> None:
    hook = desk.channel("hook", ChannelKind.WEBHOOK, address=web.url)
    desk.step(Step.OPENED, channels=("hook",))
    new_case(desk)
    desk.follow()
    web.status, web.headers = 503, {"Retry-After": "90"}
    desk.send(hook)
    desk.town.later(seconds=89)
    assert desk.send(hook) == []
    web.status = 200
    desk.town.later(seconds=1)
    desk.send(hook)
    assert len({got.headers["Idempotency-Key"] for got in web.arrived}) == 1
    (row,) = desk.rows()
    assert (row.state, row.tries, row.problem) == ("delivered", 2, "")


def test_a_push_message_is_kept_until_the_deadline_and_counts_when_it_arrives(
    desk: Desk, web: Web
) -> None:
    web.status = 201
    push = desk.channel("push", ChannelKind.PUSH, address="mailto:d@city.example", hosts=(web.url,))
    desk.person("ma", Role.DISPATCHER)
    desk.browser("ma", f"{web.url}/push/1")
    contacts.save_contact(desk.town.conn, Contact("ma"))
    case = new_case(desk)
    desk.follow()
    desk.send(push)
    (clock,) = deadlines.list_deadlines(desk.town.conn, case)
    left = (clock.due_at - desk.town.now).total_seconds()
    assert int(web.arrived[0].headers["TTL"]) == max(left, 600)
    (row,) = desk.rows()
    assert row.state == "sent"
    assert steps.confirm(desk.town.conn, row.token, desk.town.now)
    assert not steps.confirm(desk.town.conn, row.token, desk.town.now)
    assert desk.rows()[0].state == "delivered"
    web.status = 410
    desk.step(Step.REMINDER, "dispatcher")
    desk.town.now = clock.warn_at
    desk.tick()
    desk.send(push)
    assert desk.rows(step="reminder")[0].state == "failed"
    assert contacts.list_push_targets(desk.town.conn, DISTRICT) == []


def test_a_reply_that_is_late_is_told_once_a_step_also_when_the_case_is_over(desk: Desk) -> None:
    """12345 waits for it, whatever became of the case; a reply ends it."""
    town = desk.town
    desk.mail(UNUSED)
    desk.person("ma", Role.DISPATCHER)
    call = IntakeRequest(
        channel=WayIn.HOTLINE_12345,
        description="A cover is gone",
        category="0101",
        lon=110.36,
        lat=20.0,
        external_number="12345-9",
        reply_due_at=town.now + timedelta(hours=10),
    )
    kept = dispatch_steps.receive(town.conn, DISPATCHER, call, town.now)
    town.do(DISPATCHER, kept.incident_id, Action.REJECT, reason="not ours")
    kinds = ("incident.reply_due_soon", "incident.reply_overdue")

    def told() -> list[str]:
        return [kind for kind in town.events_of(kept.incident_id) if kind in kinds]

    seen = []
    for hours in (7.5, 1, 1, 1, 1):
        town.later(hours=hours)
        desk.tick()
        desk.tick()
        seen.append((len(told()), [r.step for r in desk.rows(person="ma") if r.clock == "reply"]))
    reminded, late = ["reminder"], ["reminder", "overdue"]
    assert seen == [(0, []), (1, reminded), (1, reminded), (2, late), (2, late)]
    [row] = intake.list_intake(town.conn, Scope(DISTRICT), incident_id=kept.incident_id)
    reply = ReplyRequest("Belongs to the railway", row.version)
    dispatch_steps.reply(town.conn, DISPATCHER, row.id, reply, town.now)
    assert dispatch_steps.tick_replies(town.conn, town.later(days=9)) == 0
