"""The state machine drawn from its table, for the documentation. Pure."""

from __future__ import annotations

from collections import defaultdict

from city.incident import FINAL_STATES, Action, IncidentState
from dispatch.machine import TABLE, Same


def render_mermaid() -> str:
    """A Mermaid state diagram; actions that lead the same way share an arrow."""
    arrows: dict[tuple[str, str], list[str]] = defaultdict(list)
    for (state, action), step in TABLE.items():
        if action is Action.COMMENT:
            continue  # possible everywhere: one line of text says it better
        for to in _targets(state, step.to):
            arrows[state.value, to].append(action.value)
    lines = ["stateDiagram-v2", f"    [*] --> {IncidentState.REPORTED.value}: report"]
    lines.append(f"    [*] --> {IncidentState.FILED.value}: alarm")
    lines += [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in arrows.items()]
    lines += [f"    {state.value} --> [*]" for state in IncidentState if state in FINAL_STATES]
    return "\n".join(lines) + "\n"


def render_table() -> str:
    """A Markdown table of every step: who may do it, what it needs, which clocks it touches."""
    lines = ["| state | action | to | roles | needs | clocks |", "|---|---|---|---|---|---|"]
    for (state, action), step in TABLE.items():
        cells = (
            state.value,
            action.value,
            step.to.value,
            " ".join(sorted(role.value for role in step.roles)),
            " ".join(need.value for need in step.needs) or "–",
            _clock_text(step.clocks) or "–",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _targets(state: IncidentState, to: IncidentState | Same) -> list[str]:
    if to is Same.STATE:
        return [state.value]
    if to is Same.BEFORE:
        left_by = Action.MERGE if state is IncidentState.MERGED else Action.SUSPEND
        return [s.value for (s, a) in TABLE if a is left_by]
    return [to.value]


def _clock_text(clocks: object) -> str:
    parts = []
    for name in ("start", "met", "stop"):
        kinds = getattr(clocks, name)
        if kinds:
            parts.append(f"{name} {' '.join(kind.value for kind in kinds)}")
    for flag in ("stop_all", "pause", "resume", "restart"):
        if getattr(clocks, flag):
            parts.append(flag.replace("_", " "))
    return "; ".join(parts)
