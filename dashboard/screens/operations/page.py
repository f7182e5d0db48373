"""Operations: is data arriving, does it balance, who is late, what to do about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from dashboard.api.ingest import MAY_SEE_REJECTS
from dashboard.screens.operations import gateways_page as gateways
from dashboard.screens.operations.books_page import render_books
from dashboard.screens.operations.feeds_page import render_listening
from dashboard.screens.operations.gateways_load import HEARD_STEP, read_gateways
from dashboard.screens.operations.load import (
    FeedItem,
    FindingItem,
    OperationsAnswer,
    WorkerItem,
    read_operations,
)
from dashboard.shell import frame, ids
from dashboard.shell.auth import requires
from dashboard.shell.components import extra, number_text
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock, duration, local
from dashboard.shell.minute_bars import message_bars
from dashboard.shell.parts import parts
from dashboard.shell.theme import PALETTES
from db.gateways import GATEWAYS_MAX
from db.ledger import ALL_FEEDS, Imbalance
from db.pool import transaction

# Imbalances listed one by one; the rest is a number.
SHOWN_IMBALANCES = 20
SIZES = ("B", "kB", "MB", "GB", "TB")
# A text for each fact of a finding that is not shown as it is.
DURATIONS = ("age_s", "gap_s")
COLUMNS = (
    "feed", "chart", "received", "stored", "duplicate", "rejected", "newest", "store_lag",
    "sense_lag",
)  # fmt: skip


def layout(view: View) -> Component:
    """A title and a body that is drawn again every few seconds."""
    t = view.t
    return frame.render_page(
        view,
        "operations",
        [
            frame.render_header(view, "operations"),
            html.Main(
                [
                    frame.render_title(t, "operations"),
                    html.Div(id=ids.OPERATIONS_BODY),
                    gateways.render_frame(t),
                    html.Div(id=ids.OPERATIONS_REST),
                ],
                id="main",
                className="gw-board gw-can-age",
            ),
            dcc.Store(id=ids.OPERATIONS_TICK),
        ],
        "gw-board-screen",
    )


def render_body(view: View, now: OperationsAnswer) -> Component:
    """What is wrong first, then the figures, then the feeds they come from."""
    t = view.t
    return html.Div(
        [
            render_findings(t, now),
            html.Div(render_headline(t, now), className="gw-figures"),
            render_imbalances(t, now.imbalances),
            render_feeds(view, now.feeds),
            render_listening(t, now.listening, now.now),
        ]
    )


def render_rest(t: Texts, now: OperationsAnswer) -> Component:
    """Our own programs and the machine."""
    return html.Div(
        [
            html.Div([render_workers(t, now.workers, now.now), render_books(t, now.books)]),
            render_sizes(t, now),
        ],
        className="gw-two",
    )


def render_findings(t: Texts, now: OperationsAnswer) -> Component:
    """One line a fault with what to do; or that there is none."""
    at = t("operations.as_of", time=f"{local(now.now):%H:%M:%S}")
    if not now.findings:
        return html.Section(
            [html.Strong(t("operations.all_well")), html.Small(at)], className="gw-verdict good"
        )
    count = len(now.findings)
    title = t("operations.faults", n=count) if count > 1 else t("operations.one_fault")
    return html.Section(
        [
            html.Div([html.Strong(title), html.Small(at)], className="gw-verdict-head"),
            html.Ol([render_finding(t, finding) for finding in now.findings]),
        ],
        className="gw-verdict bad",
        role="status",
    )


def render_finding(t: Texts, finding: FindingItem) -> Component:
    facts = {name: fact_text(t, name, value) for name, value in finding.facts.items()}
    return html.Li(
        [
            html.B(t(f"finding.{finding.code}", **facts)),
            html.Span(t(f"finding.{finding.code}_do", **facts)),
        ]
    )


def fact_text(t: Texts, name: str, value: Any) -> str:
    """A fact of a finding as it is read."""
    if isinstance(value, datetime):
        return day_and_clock(value)
    if value is None:
        return t("operations.never")
    if name in DURATIONS:
        return duration(t, value)
    if name == "bytes":
        return size_text(value)
    if name == "feed":
        return feed_name(t, value)
    return number_text(value) if isinstance(value, int | float) else str(value)


def feed_name(t: Texts, feed: str) -> str:
    """Wire formats have the name of their protocol; two feeds are words."""
    return t.word("feed", feed)


def size_text(size: float) -> str:
    """Bytes in the unit that leaves at most four figures."""
    for unit in SIZES:
        if size < 1000 or unit == SIZES[-1]:
            break
        size /= 1000
    return f"{number_text(size)} {unit}"


def lag_text(t: Texts, seconds: float | None) -> str:
    """Milliseconds below a second; a dash where nobody measured."""
    if seconds is None:
        return t("operations.not_measured")
    if seconds < 1:
        return t("operations.milliseconds", n=round(seconds * 1000))
    return duration(t, seconds) if seconds >= 10 else t("time.seconds", n=number_text(seconds))


def render_headline(t: Texts, now: OperationsAnswer) -> list[Component]:
    """Six figures, each with the sentence that says what it means."""
    received = sum(feed.received for feed in now.feeds)
    rejected = sum(feed.rejected for feed in now.feeds)
    duplicate = sum(feed.duplicate for feed in now.feeds)
    ages = [feed.age_s for feed in now.feeds]
    waiting = now.evaluation.batches_waiting
    return [
        render_figure(
            t, "newest", duration(t, min(ages)) if ages else t("value.none"),
        ),
        render_figure(
            t, "received", number_text(received),
            duplicate=number_text(duplicate), rejected=number_text(rejected),
        ),
        render_figure(
            t, "balance",
            t("operations.balanced") if not now.imbalances else number_text(len(now.imbalances)),
            bad=bool(now.imbalances),
        ),
        render_figure(
            t, "backlog", number_text(waiting),
            age=duration(t, now.evaluation.oldest_waiting_s if waiting else 0),
        ),
        render_figure(
            t, "quarantine", number_text(now.quarantine.waiting),
            hour=number_text(now.quarantine.last_hour),
        ),
        render_figure(
            t, "disk", size_text(now.disk.free), database=size_text(now.database.total)
        ),
    ]  # fmt: skip


def render_figure(t: Texts, name: str, value: str, *, bad: bool = False, **gaps: str) -> Component:
    return html.Dl(
        [
            html.Dt(t(f"operations.{name}")),
            html.Dd(value),
            html.Dd(t(f"operations.{name}_note", **gaps)),
        ],
        className="gw-figure bad" if bad else "gw-figure",
    )


def render_imbalances(t: Texts, wrong: Sequence[Imbalance]) -> Component:
    """Minutes whose accounts do not agree, in red: something was lost or counted twice."""
    if not wrong:
        return html.Div()
    rows = [
        html.Li(
            [
                html.B(f"{local(item.minute):%m-%d %H:%M}"),
                html.Span(t("feed.all") if item.feed == ALL_FEEDS else feed_name(t, item.feed)),
                html.Span(
                    t(
                        f"operations.imbalance_{item.what}",
                        expected=number_text(item.expected),
                        found=number_text(item.found),
                    )
                ),
            ]
        )
        for item in wrong[:SHOWN_IMBALANCES]
    ]
    if len(wrong) > SHOWN_IMBALANCES:
        rows.append(html.Li(t("operations.more", n=len(wrong) - SHOWN_IMBALANCES)))
    return html.Section(
        [html.H3(t("operations.imbalances")), html.Ul(rows)],
        className="gw-panel gw-imbalances",
        role="alert",
    )


def render_feeds(view: View, feeds: Sequence[FeedItem]) -> Component:
    """Every feed with its last hour; on a phone each row becomes a card."""
    t = view.t
    if not feeds:
        return html.Section(
            [
                html.H3(t("operations.feeds")),
                html.P(t("operations.no_feeds"), className="gw-empty"),
            ],
            className="gw-panel",
        )
    head = [html.Th(t(f"operations.col_{name}"), scope="col") for name in COLUMNS]
    return html.Section(
        [
            html.Div(
                [html.H3(t("operations.feeds")), render_colours(t)], className="gw-panel-head"
            ),
            html.Div(
                html.Table(
                    [
                        html.Thead(html.Tr(head)),
                        html.Tbody([render_feed(view, feed) for feed in feeds]),
                        html.Tfoot(render_total(t, feeds)),
                    ],
                    className="gw-feeds",
                ),
                className="gw-table-scroll",
                tabIndex="0",
                role="region",
                **extra({"aria-label": t("operations.feeds")}),
            ),
            render_explanations(t),
        ],
        className="gw-panel",
    )


def render_colours(t: Texts) -> Component:
    """What the colours of the small charts mean."""
    return html.Div(
        [
            html.Span([html.I(className=name), t(f"operations.col_{name}")])
            for name in ("stored", "duplicate", "rejected")
        ],
        className="gw-colours",
    )


def render_feed(view: View, feed: FeedItem) -> Component:
    t = view.t
    marks = []
    if feed.silent:
        marks.append(html.Small(t("operations.silent"), className="gw-mark-quiet"))
    if not feed.balanced:
        marks.append(html.Small(t("operations.unbalanced"), className="gw-mark-bad"))
    most = max(sum(minute) for minute in feed.minutes)
    chart = html.Img(
        src=message_bars(feed.minutes, PALETTES[view.theme]),
        alt=t("operations.chart_alt", feed=feed_name(t, feed.feed), most=number_text(most)),
        className="gw-bars",
    )
    cells = {
        "chart": [chart, html.Small(t("operations.most", n=number_text(most)))],
        "received": number_text(feed.received),
        "stored": number_text(feed.stored),
        "duplicate": number_text(feed.duplicate),
        "rejected": html.B(number_text(feed.rejected)) if feed.rejected else "0",
        "newest": [
            html.B(t("time.ago", age=age_text(t, feed))),
            html.Small(day_and_clock(feed.newest_at)[: None if feed.newest_is_exact else -3]),
        ],
        "store_lag": lag_cell(t, feed.store_lag_avg_s, feed.store_lag_max_s),
        "sense_lag": lag_cell(t, feed.sense_lag_avg_s, feed.sense_lag_max_s),
    }
    return html.Tr(
        [
            html.Th([html.Span(feed_name(t, feed.feed)), *marks], scope="row"),
            *(
                html.Td(cell, **extra({"data-label": t(f"operations.col_{name}")}))
                for name, cell in cells.items()
            ),
        ],
        className="silent" if feed.silent else "",
    )


def age_text(t: Texts, feed: FeedItem) -> str:
    """Where only the minute is known, seconds would be invented."""
    if not feed.newest_is_exact and feed.age_s < 120:
        return t("operations.minutes_at_most", n=2 if feed.age_s >= 60 else 1)
    return duration(t, feed.age_s)


def lag_cell(t: Texts, average: float | None, largest: float | None) -> list[Component]:
    if average is None:
        return [html.Span(t("operations.not_measured"))]
    return [
        html.B(lag_text(t, average)),
        html.Small(t("operations.at_most", value=lag_text(t, largest))),
    ]


def render_total(t: Texts, feeds: Sequence[FeedItem]) -> Component:
    sums = {
        name: number_text(sum(getattr(feed, name) for feed in feeds))
        for name in ("received", "stored", "duplicate", "rejected")
    }
    cells: Mapping[str, str] = {
        "chart": "", **sums, "newest": "", "store_lag": "", "sense_lag": ""
    }  # fmt: skip
    return html.Tr(
        [
            html.Th(t("operations.total"), scope="row"),
            *(
                html.Td(value, **extra({"data-label": t(f"operations.col_{name}")}))
                for name, value in cells.items()
            ),
        ]
    )


def render_explanations(t: Texts) -> Component:
    """What each column means, in one sentence each."""
    rows: list[Component] = []
    for name in COLUMNS[1:]:
        rows += [html.Dt(t(f"operations.col_{name}")), html.Dd(t(f"operations.col_{name}_why"))]
    return html.Details(
        [html.Summary(t("operations.how_to_read")), html.Dl(rows)], className="gw-explained"
    )


def render_workers(t: Texts, workers: Sequence[WorkerItem], now: datetime) -> Component:
    """Who stores, when it last did, and what to do when one is gone."""
    rows = [render_worker(t, worker, now) for worker in workers]
    return html.Section(
        [
            html.H3(t("operations.workers")),
            html.P(t("operations.workers_note"), className="gw-panel-note"),
            html.Ul(rows or [html.Li(t("operations.no_workers"))], className="gw-workers"),
        ],
        className="gw-panel",
    )


def render_worker(t: Texts, worker: WorkerItem, now: datetime) -> Component:
    stored = t("operations.worker_never")
    if worker.last_at is not None:
        age_s = (now - worker.last_at).total_seconds()
        stored = t("operations.worker_last", age=duration(t, age_s), n=number_text(worker.received))
    told: list[Component] = []
    if worker.gone:
        told.append(html.P(t("operations.worker_gone", seen_at=day_and_clock(worker.seen_at))))
        told.append(html.P(t("operations.worker_gone_do")))
    return html.Li([html.B(worker.worker), html.Span(stored), *told])


def render_sizes(t: Texts, now: OperationsAnswer) -> Component:
    """Programs that are connected, and what the disk is used for."""
    pairs = [
        *(
            (t(f"operations.program_{name}"), t(f"operations.{'runs' if count else 'absent'}"))
            for name, count in now.programs.items()
        ),
        (t("operations.size_database"), size_text(now.database.total)),
        (t("operations.size_readings"), size_text(now.database.readings)),
        (t("operations.size_ledger"), size_text(now.database.ledger)),
        (
            t("operations.size_rejects"),
            t(
                "operations.size_of",
                size=size_text(now.database.rejects),
                limit=size_text(now.quarantine_limit_bytes),
            ),
        ),
        (
            t("operations.size_disk"),
            t("operations.size_of", size=size_text(now.disk.free), limit=size_text(now.disk.total)),
        ),
    ]
    rows: list[Component] = []
    for label, value in pairs:
        rows += [html.Dt(label), html.Dd(value)]
    return html.Section(
        [
            html.H3(t("operations.machine")),
            html.P(t("operations.machine_note"), className="gw-panel-note"),
            html.Dl(rows, className="gw-pairs"),
            html.P(t("operations.broker_note"), className="gw-panel-note"),
        ],
        className="gw-panel",
    )


def register(app: Dash) -> None:
    """The callbacks that draw the page again."""

    @app.callback(
        Output(ids.OPERATIONS_BODY, "children"),
        Output(ids.OPERATIONS_REST, "children"),
        Input(ids.OPERATIONS_TICK, "data"),
    )
    @requires(*MAY_SEE_REJECTS)
    def show(_: Any) -> tuple[Component, Component]:
        view = frame.request_view()
        at = datetime.now(UTC)
        # Before a connection is taken: the first look of the pulse may need one.
        faults = parts().walls.pulse.faults(at)
        with transaction(parts().pool) as conn:
            now = read_operations(conn, view.caller.district, at, faults, parts().data_dir)
        return render_body(view, now), render_rest(view.t, now)

    @app.callback(
        Output(ids.OPERATIONS_GATEWAYS, "children"),
        Output(ids.GATEWAYS_SUMMARY, "children"),
        Output(ids.GATEWAYS_HEARD, "children"),
        Output(ids.GATEWAYS_MORE, "hidden"),
        Output(ids.GATEWAYS_FOLD, "hidden"),
        Input(ids.OPERATIONS_TICK, "data"),
        Input(ids.GATEWAYS_MORE, "n_clicks"),
    )
    @requires(*MAY_SEE_REJECTS)
    def show_gateways(_: Any, pressed: Any) -> tuple[Component, str, Component, bool, bool]:
        view, now = frame.request_view(), datetime.now(UTC)
        steps = 1 + min(pressed if isinstance(pressed, int) else 0, GATEWAYS_MAX // HEARD_STEP)
        with transaction(parts().pool) as conn:
            found = read_gateways(conn, view.caller.district, max(1, steps))
        return (
            gateways.render_silent(view.t, found, now),
            gateways.summary_text(view.t, found),
            gateways.render_heard(view.t, found, now),
            len(found.heard) >= found.counts.heard,
            not found.heard,
        )
