"""What a new installation starts with: reference rows for everyone, a demo district to look at."""

from db.seeds.demo import seed_demo
from db.seeds.geography import streets
from db.seeds.reference import read_categories, read_stage_limits, seed_reference

__all__ = ["read_categories", "read_stage_limits", "seed_demo", "seed_reference", "streets"]
