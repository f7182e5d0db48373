"""Topic filters of MQTT 5: what they match, whether two share a topic, what is wrong with one.

Pure. `#` also matches the level above it, and a wildcard in the first place no topic that begins
with `$` (MQTT 5.0, 4.7).
"""

from __future__ import annotations

ONE, REST = "+", "#"
# Bytes of a topic: its length is two bytes on the wire.
LENGTH_MAX = 65_535
SHARE = "$share"


def overlap(one: str, other: str) -> bool:
    """Some topic matches both filters."""
    left, right = one.split("/"), other.split("/")
    for first, second in ((left[0], right[0]), (right[0], left[0])):
        if first in (ONE, REST) and second.startswith("$"):
            return False
    return _overlap(left, right)


def _overlap(left: list[str], right: list[str]) -> bool:
    for number in range(max(len(left), len(right))):
        mine, theirs = left[number : number + 1], right[number : number + 1]
        if mine == [REST] or theirs == [REST]:
            return True
        if not mine or not theirs or not (mine == theirs or ONE in (*mine, *theirs)):
            return False
    return True


def matches(pattern: str, topic: str) -> bool:
    """What the broker decides, level by level."""
    if pattern[:1] in (ONE, REST) and topic.startswith("$"):
        return False
    wanted, levels = pattern.split("/"), topic.split("/")
    if wanted[-1] == REST:
        wanted = wanted[:-1]
        if len(levels) < len(wanted):
            return False
    elif len(wanted) != len(levels):
        return False
    return all(w in (ONE, level) for w, level in zip(wanted, levels, strict=False))


def covers(one: str, other: str) -> bool:
    """Every topic that matches the other filter matches this one."""
    if one[:1] in (ONE, REST) and other.startswith("$"):
        return False
    return _covers(one.split("/"), other.split("/"))


def _covers(one: list[str], other: list[str]) -> bool:
    if one[:1] == [REST]:
        return True
    if other[:1] == [REST] or not one or not other:
        return one == other
    return one[0] in (ONE, other[0]) and _covers(one[1:], other[1:])


def has_wildcard(topic: str) -> bool:
    return ONE in topic or REST in topic


def problem_of(pattern: str) -> str:
    """Why a broker would not take this filter, in words; empty for a sound one."""
    levels = pattern.split("/")
    if not pattern:
        return "is empty"
    if len(pattern.encode("utf-8", "replace")) > LENGTH_MAX:
        return f"is longer than {LENGTH_MAX} bytes"
    if not pattern.isprintable():
        return "holds characters that cannot be shown"
    if REST in "".join(levels[:-1]):
        return "has # before its last level"
    if any(len(level) > 1 and (ONE in level or REST in level) for level in levels):
        return "has a wildcard beside other characters of a level"
    if levels[0] == SHARE:
        return "is a shared subscription: give the filter alone"
    return ""
