"""People and tokens: who may come in, as what, and the steps that change it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from city.incident import Role
from city.person import ADMINISTRATORS
from dashboard.shell import frame, ids
from dashboard.shell.auth import current_caller, requires
from dashboard.shell.components import extra, render_empty
from dashboard.shell.frame import View
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import day_and_clock
from dashboard.shell.parts import parts
from db import users
from db.grids import list_divisions
from db.pool import transaction
from db.squads import list_squads
from db.users import Account, Token

COLUMNS = ("name", "role", "squad", "divisions", "state", "steps")


def layout(view: View) -> Component:
    """Both lists; the browser opens the dialogs and asks for the lists again."""
    t = view.t
    return frame.render_page(
        view,
        "people",
        [
            frame.render_header(view, "people"),
            html.Main(
                [
                    frame.render_title(t, "people"),
                    html.Div(id=ids.PEOPLE_BODY),
                ],
                id="main",
                className="gw-board gw-people",
                **extra(
                    {
                        "data-squads": squad_choices(view),
                        "data-divisions": json.dumps(divisions_of(view), ensure_ascii=False),
                    }
                ),
            ),
            dcc.Store(id=ids.PEOPLE_TICK),
        ],
        "gw-board-screen",
    )


def squad_choices(view: View) -> str:
    """Code and name of every squad, for the forms."""
    with transaction(parts().pool) as conn:
        rows = list_squads(conn, view.caller.district)
    return json.dumps(
        [[s.code, view.t.pick({"name_zh": s.name_zh, "name_en": s.name_en}, "name")] for s in rows],
        ensure_ascii=False,
    )


def divisions_of(view: View) -> list[tuple[str, str]]:
    """Code and name of every division below the district, each after the one it lies in."""
    with transaction(parts().pool) as conn:
        rows = [d for d in list_divisions(conn, view.caller.district) if d.level != "district"]
    names = {d.code: d.name for d in rows}
    parents = {d.code: d.parent for d in rows}

    def way(code: str) -> tuple[str, ...]:
        above = parents[code]
        return (*(way(above) if above in parents else ()), code)

    ways = sorted(way(code) for code in parents)
    return [(one[-1], " › ".join(names[code] for code in one)) for one in ways]


def render_body(
    view: View,
    accounts: Sequence[Account],
    tokens: Sequence[Token],
    names: Mapping[str, str],
) -> list[Component]:
    """`names` are those of divisions by their codes."""
    t = view.t
    people = [render_account(view, account, names) for account in accounts]
    return [
        render_list(t, "people", "user_new", people),
        render_list(t, "tokens", "token_new", [render_token(t, one, names) for one in tokens]),
    ]


def render_list(t: Texts, name: str, step: str, rows: list[Component]) -> Component:
    """A title with the button for one more, and a table that becomes cards on a phone."""
    columns = [t(f"people.column_{c}") for c in COLUMNS]
    table = html.Table(
        [html.Thead(html.Tr([html.Th(c, scope="col") for c in columns])), html.Tbody(rows)],
        className="gw-people-table",
    )
    return html.Section(
        [
            html.Div(
                [
                    html.H3(t(f"people.{name}")),
                    html.Small(t(f"people.{name}_note")),
                    render_step(t, step, {}, primary=True),
                ],
                className="gw-people-head",
            ),
            table if rows else render_empty(t(f"people.no_{name}")),
        ]
    )


def render_account(view: View, account: Account, names: Mapping[str, str]) -> Component:
    t = view.t
    out = account.disabled_at is not None
    own = account.name == view.caller.name
    at = day_and_clock(account.disabled_at) if account.disabled_at else ""
    state = t("people.shut_out", time=at) if out else t("people.may_sign_in")
    facts = {
        "name": account.name, "version": str(account.version), "role": account.role.value,
        "squad": account.squad or "", "divisions": ";".join(account.divisions),
    }  # fmt: skip
    steps = ["enable"] if out else ["password"] if own else ["role", "password", "disable"]
    factor = account.second_factor_at is not None
    if factor and not own:
        steps.append("second_factor")
    notes = [
        account.display_name, t("people.yourself") if own else "",
        t("people.has_second_factor") if factor else "",
    ]  # fmt: skip
    name = [html.B(account.name), *(html.Small(note) for note in notes if note)]
    return render_row(
        t, name, account.role, account.squad, bounds_text(t, account.divisions, names), state, out,
        [*(render_step(t, step, facts) for step in steps), *(own_factor(t) if own else [])],
    )  # fmt: skip


def own_factor(t: Texts) -> list[Component]:
    """The way to one's own second factor, which nobody else sets."""
    return [
        html.A(t("people.second_factor"), href="/second-factor?next=/people", className="gw-button")
    ]


def bounds_text(t: Texts, divisions: Sequence[str], names: Mapping[str, str]) -> str:
    """What somebody is bounded to, by its names."""
    return "、".join(names.get(code, code) for code in divisions) or t("people.whole_district")


def render_token(t: Texts, token: Token, names: Mapping[str, str]) -> Component:
    at = day_and_clock(token.revoked_at) if token.revoked_at else ""
    state = t("people.revoked", time=at) if token.revoked_at else t("people.valid")
    steps = [] if token.revoked_at else [render_step(t, "revoke", {"name": token.name})]
    return render_row(
        t, [html.B(token.name)], token.role, token.squad,
        bounds_text(t, token.divisions, names), state, bool(at), steps,
    )  # fmt: skip


def render_row(
    t: Texts,
    name: list[Component],
    role: Role,
    squad: str | None,
    bounds: str,
    state: str,
    out: bool,
    steps: list[Component],
) -> Component:
    """On a phone every cell carries its label."""
    label = {c: {"data-label": t(f"people.column_{c}")} for c in COLUMNS[1:-1]}
    return html.Tr(
        [
            html.Th(name, scope="row"),
            html.Td(t.word("role", role.value), **extra(label["role"])),
            html.Td(squad or "–", **extra(label["squad"])),
            html.Td(bounds, **extra(label["divisions"])),
            html.Td(state, **extra(label["state"])),
            html.Td(steps, className="gw-people-steps"),
        ],
        className="gw-people-out" if out else "",
    )


def render_step(t: Texts, step: str, facts: dict[str, str], *, primary: bool = False) -> Component:
    return html.Button(
        t(f"people.step_{step}"),
        type="button",
        className="gw-button primary" if primary else "gw-button",
        **extra({"data-people": step, **{f"data-{k}": v for k, v in facts.items()}}),
    )


def register(app: Dash) -> None:
    """Both lists whenever the browser asks."""

    @app.callback(Output(ids.PEOPLE_BODY, "children"), Input(ids.PEOPLE_TICK, "data"))
    @requires(*ADMINISTRATORS)
    def show(_tick: int | None) -> list[Component]:
        with transaction(parts().pool) as conn:
            district = current_caller().district
            accounts = users.list_accounts(conn, district)
            tokens = users.list_tokens(conn, district)
            names = {d.code: d.name for d in list_divisions(conn, district)}
        return render_body(frame.request_view(), accounts, tokens, names)
