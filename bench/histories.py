"""How well the shipped rules tell leaks, neighbours, covers and lamps from what only looks so:
recall, nuisance and earliness per class on made histories of several seeds."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from alerts.backtest import as_json, judge_history
from alerts.history import History, build_columns, moment
from alerts.history_files import AFTER
from alerts.rule_files import parse_rule
from alerts.rules import Rule
from city.device import WatchedDevice
from city.moment import as_microseconds
from city.reading import METRICS
from db.rules import default_texts
from simulator.histories import Conditions, Made, MadeDevice, Score, make, score

SEEDS = (11, 12, 13, 14, 15)
SETS: Mapping[str, Conditions] = {
    "usual": Conditions(),
    "wide": Conditions(spread=1.5),
    "lossy": Conditions(lost=0.15, late=0.10, spread=1.2),
}


def run(seconds: int | None = None, seeds: Sequence[int] = SEEDS) -> dict[str, Any]:
    """Per set and class: matters, told in time, nuisance alarms, share of the limit's delay."""
    rules = [parse_rule(text, name) for name, text in default_texts().items()]
    result: dict[str, Any] = {}
    for name, conditions in SETS.items():
        together: dict[str, Score] = {}
        readings, took_s = 0, 0.0
        for seed in seeds:
            made = make(seed, conditions)
            history = as_history(made)
            began = time.process_time()
            found = score(made.cases, tell(rules, history))
            took_s += time.process_time() - began
            readings += history.readings()
            for kind, one in found.items():
                _add(together.setdefault(kind, Score()), one, seed)
        result[name] = {
            "seeds": list(seeds), "readings": readings, "backtest_s": round(took_s, 2),
            "classes": {kind: _as_row(one) for kind, one in sorted(together.items())},
        }  # fmt: skip
    return result


def tell(rules: Sequence[Rule], history: History) -> list[dict[str, Any]]:
    return [as_json(alarm) for alarm in judge_history(rules, history)]


def as_history(made: Made) -> History:
    """A made set as columns."""
    devices = {number: watched(number, one) for number, one in enumerate(made.devices, start=1)}
    ids = {device.code: device.id for device in devices.values()}
    by_metric: dict[str, list[tuple[int, int, int, float]]] = {}
    for one in made.readings:
        row = (
            ids[one.device],
            as_microseconds(one.ts),
            as_microseconds(one.received_at),
            one.value,
        )
        by_metric.setdefault(one.metric, []).append(row)
    columns = {}
    for metric, rows in by_metric.items():
        device_id, ts_us, received_us, value = (np.array(part) for part in zip(*rows, strict=True))
        quality = np.zeros(len(rows), np.int8)
        columns[METRICS[metric].id] = build_columns(device_id, ts_us, received_us, value, quality)
    newest = max(moment(int(part.ts_us.max())) for part in columns.values())
    return History(devices, columns, newest + AFTER)


def watched(number: int, made: MadeDevice) -> WatchedDevice:
    """A made device as rules know it."""
    return WatchedDevice(
        id=number, code=made.code, district="460107", kind=made.kind,
        gas="methane" if made.kind != "light" else None, lon=made.lon, lat=made.lat,
        unit_grid=None, attributes=dict(made.attributes), report_interval_s=made.interval_s,
        demo=False, out_of_service_since=None, return_due_at=None,
    )  # fmt: skip


def _add(total: Score, one: Score, seed: int) -> None:
    total.matters += one.matters
    total.in_time += one.in_time
    total.nuisance += one.nuisance
    total.shares += one.shares
    total.wrong += [f"seed {seed}, {text}" for text in one.wrong]


def _as_row(one: Score) -> dict[str, Any]:
    row: dict[str, Any] = {
        "matters": one.matters, "in_time": one.in_time, "nuisance": one.nuisance,
    }  # fmt: skip
    if one.shares:
        row["share_of_limit_delay"] = round(statistics.median(one.shares), 2)
    if one.wrong:
        row["wrong"] = one.wrong
    return row


if __name__ == "__main__":
    for name, part in run().items():
        print(name, part["readings"], "readings", part["backtest_s"], "s")
        for kind, row in part["classes"].items():
            print(f"  {kind:<16}", {k: v for k, v in row.items() if k != "wrong"})
            for text in row.get("wrong", ())[:6]:
                print("      ", text)
