"""What people are told of messages that did not arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from city.losses import Gap, find_episodes, find_outages, is_beyond_chance

NOON = datetime(2026, 11, 24, 14, 2, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def gap(source: int, missing: int, after_s: float, before_s: float, feed: str = "native") -> Gap:
    return Gap(source, feed, missing, at(after_s), at(before_s))


def test_nothing_missing_is_no_episode() -> None:
    assert find_episodes([]) == []


def test_one_missing_message_is_placed_in_the_middle() -> None:
    (episode,) = find_episodes([gap(1, 1, 10, 14)])
    assert (episode.from_at, episode.to_at) == (at(12), at(12))
    assert (episode.missing, episode.sources, episode.feeds) == (1, (1,), ("native",))


def test_gaps_of_many_devices_at_one_time_are_one_episode() -> None:
    gaps = [gap(source, 2, source / 10, 9 + source / 10) for source in range(1, 36)]
    gaps.append(gap(99, 1, 600, 604, "sparkplug"))
    first, second = find_episodes(reversed(gaps))
    assert (first.missing, len(first.sources)) == (70, 35)
    assert at(3) < first.from_at < first.to_at < at(10)
    assert (second.from_at, second.feeds) == (at(602), ("sparkplug",))


def test_a_long_gap_joins_what_happened_within_it() -> None:
    assert len(find_episodes([gap(1, 500, 0, 1000), gap(2, 1, 400, 402), gap(3, 1, 800, 802)])) == 1


def received(minutes: dict[int, int]) -> dict[datetime, int]:
    return {at(60 * minute): count for minute, count in minutes.items()}


def test_a_radio_that_loses_here_and_there_is_no_outage() -> None:
    gaps = [gap(n, 1, 37 * n, 37 * n + 600, "chirpstack") for n in range(100)]
    came = received(dict.fromkeys(range(-1, 80), 20))
    assert find_outages("chirpstack", gaps, came, 0.1) == []


def test_many_frames_missing_at_once_while_nothing_came_is_an_outage() -> None:
    gaps = [gap(n, 1, n - 300, n + 300, "chirpstack") for n in range(30)]
    came = received(dict.fromkeys([-2, -1, 1, 2], 30))
    (outage,) = find_outages("chirpstack", gaps, came, 0.1)
    assert (outage.from_at, outage.to_at) == (at(0), at(60))
    assert (outage.missing, len(outage.sources), outage.received) == (30, 30, 0)


def test_an_outage_over_minutes_in_which_little_is_sent_is_seen_as_one() -> None:
    gaps = [gap(n, 1, 60 * n - 300, 60 * n + 310, "ttn") for n in range(10)]
    (outage,) = find_outages("ttn", gaps, received({-1: 1, 10: 1}), 0.05)
    assert (outage.missing, outage.to_at - outage.from_at) == (10, timedelta(minutes=10))


def test_few_devices_are_trouble_of_these_devices() -> None:
    gaps = [gap(n % 3, 5, n - 300, n + 300, "ttn") for n in range(30)]
    assert find_outages("ttn", gaps, {}, 0.1) == []


@pytest.mark.parametrize(
    ("missing", "came", "share", "beyond"),
    [
        (6, 0, 0.0, True),  # 0.02 to the sixth
        (5, 0, 0.0, False),
        (9, 0, 0.1, True),
        (8, 0, 0.1, False),
        (17, 0, 0.3, True),
        (16, 0, 0.3, False),
        (7, 3, 0.3, False),  # likely enough among a thousand minutes
        (70, 30, 0.3, True),
        (0, 0, 0.1, False),
        (5, 95, 0.1, False),
    ],
)
def test_only_what_chance_cannot_do_is_beyond_chance(
    missing: int, came: int, share: float, beyond: bool
) -> None:
    assert is_beyond_chance(missing, came, share) is beyond
