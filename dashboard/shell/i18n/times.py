"""Times and durations as people read them, in the district's own zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from dashboard.shell.i18n import Texts

# The one official time of mainland China, whatever a wall computer believes.
TIMEZONE = "Asia/Shanghai"
MINUTE_S, HOUR_S, DAY_S = 60, 3_600, 86_400


def local(at: str | datetime) -> datetime:
    """An RFC 3339 text or aware time in the district's zone."""
    moment = datetime.fromisoformat(at) if isinstance(at, str) else at
    return moment.astimezone(ZoneInfo(TIMEZONE))


def day_and_clock(at: str | datetime | None) -> str:
    """`11-22 09:31:05`; empty for no time."""
    return f"{local(at):%m-%d %H:%M:%S}" if at else ""


def duration(t: Texts, seconds: float | None) -> str:
    """Two units at most: "3 天 4 小时", "12 分", "8 秒"; a dash for no value."""
    if seconds is None:
        return t("value.none")
    s = max(0, round(seconds))
    if s < MINUTE_S:
        return t("time.seconds", n=s)
    if s < HOUR_S:
        return _two(t, "minutes", s // MINUTE_S, "seconds", s % MINUTE_S if s < 600 else 0)
    if s < DAY_S:
        return _two(t, "hours", s // HOUR_S, "minutes", s % HOUR_S // MINUTE_S)
    return _two(t, "days", s // DAY_S, "hours", s % DAY_S // HOUR_S)


def _two(t: Texts, large: str, n_large: int, small: str, n_small: int) -> str:
    text = t(f"time.{large}", n=n_large)
    return f"{text} {t(f'time.{small}', n=n_small)}" if n_small else text
