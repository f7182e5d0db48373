"""What others call: orders, programmes and nights of lamps, and the ticks of the scheduler."""

from __future__ import annotations

from lighting.commands import cancel, check_order, find_lamps, order
from lighting.commands import tick as tick_commands
from lighting.nights import last_night, recompute
from lighting.nights import tick as tick_nights
from lighting.picture import build_picture
from lighting.programmes import assign, retire_programme, save_programme
from lighting.programmes import tick as tick_programmes
from lighting.programmes import tick_new as tick_new_lamps

__all__ = [
    "assign", "build_picture", "cancel", "check_order", "find_lamps", "last_night", "order",
    "recompute", "retire_programme", "save_programme", "tick_commands", "tick_new_lamps",
    "tick_nights", "tick_programmes",
]  # fmt: skip
