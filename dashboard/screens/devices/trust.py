"""What is said beside a value: its age, and how far it may be trusted. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from city.trust import trust_words
from dashboard.shell.i18n import Texts
from dashboard.shell.i18n.times import duration

# A clock this close is right: what remains is the way through the network.
CLOSE_S = 2.0


def age_text(t: Texts, age_s: float) -> str:
    """How long ago the value was measured; a time ahead of ours is said to be so."""
    if age_s < -CLOSE_S:
        return t("quality.in_future", age=duration(t, -age_s))
    return t("time.ago", age=duration(t, age_s))


def quality_text(
    t: Texts, quality: int, age_s: float, report_interval_s: float, faults: Iterable[str] = ()
) -> str:
    """The words for a value, the gravest first; empty for a good one.

    `faults` are the kinds (`db.quality.ShownFault.kind`) of its metric and of the whole device.
    """
    return words_text(t, trust_words(quality, age_s, report_interval_s, faults))


def words_text(t: Texts, words: Iterable[str]) -> str:
    """Words of `city.trust.trust_words` as people read them; empty for a good value."""
    return " · ".join(t.word("quality", word) for word in words if word != "good")


def value_note(
    t: Texts, quality: int, age_s: float, report_interval_s: float, faults: Iterable[str] = ()
) -> str:
    """Age, and what else to know before the value is believed."""
    words = quality_text(t, quality, age_s, report_interval_s, faults)
    return " · ".join(part for part in (age_text(t, age_s), words) if part)
