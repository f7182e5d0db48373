"""What a scenario is made of."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime

from simulator.cast import Cast
from simulator.episodes import Episode, Observation

Happening = Episode | Observation
# Yields happenings without end, in the order of their start.
Scenario = Callable[[Cast, datetime, random.Random], Iterator[Happening]]
