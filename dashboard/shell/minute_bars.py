"""Small charts as pictures: an hour of minutes, or a day of hours, drawn without a library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

# One unit a bar and one between bars; the picture is stretched to its place.
BAR, STEP, HEIGHT = 3, 4, 36
# A bar of one message among thousands must still be seen.
LEAST = 2.0


def stacked_bars(rows: Sequence[Sequence[int]], colours: Sequence[str], line: str) -> str:
    """An `img` source: a bar a row, its parts stacked in the order of the colours."""
    most = max((sum(row) for row in rows), default=0)
    paths = ["" for _ in colours]
    for place, row in enumerate(rows):
        top = float(HEIGHT)
        for part, value in enumerate(row):
            if value > 0:
                size = max(LEAST, HEIGHT * value / most)
                top = max(0.0, top - size)
                paths[part] += f"M{place * STEP} {top:.1f}h{BAR}v{size:.1f}h-{BAR}z"
    width = len(rows) * STEP
    drawn = "".join(
        f'<path d="{path}" fill="{colour}"/>'
        for path, colour in zip(paths, colours, strict=True)
        if path
    )
    ground = f'<path d="M0 {HEIGHT}.5H{width}" stroke="{line}"/>'
    picture = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HEIGHT + 1}"'
        f' preserveAspectRatio="none">{ground}{drawn}</svg>'
    )
    return "data:image/svg+xml," + quote(picture)


def message_bars(minutes: Sequence[Sequence[int]], palette: Mapping[str, str]) -> str:
    """Stored, duplicate and rejected messages: quiet, quieter, and the one to look at."""
    colours = [palette["accent"], palette["series-2"], palette["text"]]
    return stacked_bars(minutes, colours, palette["line"])


def hour_bars(hours: Sequence[int], palette: Mapping[str, str]) -> str:
    """How many messages were refused in each hour."""
    return stacked_bars([(value,) for value in hours], [palette["muted"]], palette["line"])
