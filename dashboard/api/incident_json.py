"""One incident as API and pages show it, put together from the incident core's own view."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

# Files a person hands in together with an action: an action that waits for nothing else is
# offered, and its dialog asks for the file.
HANDED_IN = frozenset({"photo_before", "photo_after", "check_photo", "document"})


def incident_answer(view: Mapping[str, Any], alarms: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """`actions` are the words of what is possible now, `steps` says more about each of them."""
    possible, waiting = view["actions"], view["waiting"]
    answer = {name: value for name, value in view.items() if name != "timeline"}
    answer |= {
        "actions": [step["action"] for step in possible],
        "offered": [
            step["action"] for step in [*possible, *waiting] if _waits_for_files_only(step)
        ],
        "steps": possible,
        "waiting": waiting,
        "clocks": [_with_amount(clock) for clock in view["clocks"]],
        "alarms": list(alarms),
        "events": view["timeline"],
    }
    return answer


def _waits_for_files_only(step: Mapping[str, Any]) -> bool:
    return all(refusal["code"] in HANDED_IN for refusal in step.get("waiting_for", ()))


def _with_amount(clock: Mapping[str, Any]) -> dict[str, Any]:
    """`limit` is "4 work_hour"; its number and unit also stand alone."""
    amount, _, unit = str(clock["limit"]).partition(" ")
    return {**clock, "limit_amount": float(amount), "limit_unit": unit}
