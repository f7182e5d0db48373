"""Sequence numbers and the broker's counters on the operations page: what the figures rest on."""

from __future__ import annotations

from dash import html
from dash.development.base_component import Component

from dashboard.screens.operations.books_load import BooksItem, BrokerItem
from dashboard.shell.components import number_text
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock

# Senders listed; the rest is in the API.
SHOWN = 5


def render_books(t: Texts, books: BooksItem) -> Component:
    """Information only: what is wrong stands in the first lines of the page."""
    return html.Section(
        [
            html.H3(t("books.title")),
            html.P(t("books.note"), className="gw-panel-note"),
            _pairs(_broker(t, books) + _numbers(t, books)),
            *_remarks(t, books),
        ],
        className="gw-panel",
    )


def _pairs(pairs: list[tuple[str, str]]) -> Component:
    rows: list[Component] = []
    for label, value in pairs:
        rows += [html.Dt(label), html.Dd(value)]
    return html.Dl(rows, className="gw-pairs")


def _broker(t: Texts, books: BooksItem) -> list[tuple[str, str]]:
    broker = books.broker
    if broker is None or not broker.tells:
        return [(t("books.untold"), t("books.tells_nothing" if broker else "books.not_looked"))]
    dropped = sum(drop.deliveries for drop in books.drops)
    return [
        (t("books.broker"), _since(t, broker.received, broker)),
        (t("books.here"), _since(t, broker.received_here, broker)),
        (t("books.dropped"), number_text(dropped)),
        *((t("books.restarts"), day_and_clock(at)) for at in broker.restarts),
    ]


def _since(t: Texts, count: int, broker: BrokerItem) -> str:
    return t("books.since", n=number_text(count), at=day_and_clock(broker.from_)[6:])


def _numbers(t: Texts, books: BooksItem) -> list[tuple[str, str]]:
    return [
        (
            t("books.numbers", feed=t.word("feed", item.feed)),
            t(
                "books.numbers_of",
                usable=number_text(item.usable),
                learning=number_text(item.learning),
                useless=number_text(item.unusable + item.constant),
            ),
        )
        for item in books.numbers
    ]


def _remarks(t: Texts, books: BooksItem) -> list[Component]:
    found: list[Component] = []
    if not books.numbers:
        found.append(html.P(t("books.no_numbers"), className="gw-panel-note"))
    if books.useless:
        names = ", ".join(books.useless[:SHOWN]) + (" …" if len(books.useless) > SHOWN else "")
        found.append(html.P(t("books.useless", names=names), className="gw-panel-note"))
    if books.lossy:
        found.append(html.P(t("books.lossy"), className="gw-panel-note"))
        found.append(
            _pairs(
                [
                    (f"{item.name} ({t.word('feed', item.feed)})", f"{item.share:.1%}")
                    for item in books.lossy[:SHOWN]
                ]
            )
        )
    if books.gateways:
        found.append(html.P(t("books.gateways"), className="gw-panel-note"))
        rows = [
            (f"{g.gateway} ({t('gateways.explained', n=number_text(g.devices))})", f"{g.share:.1%}")
            for g in books.gateways[:SHOWN]
        ]
        found.append(_pairs(rows))
    return found
