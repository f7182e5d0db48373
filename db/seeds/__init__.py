"""What a new installation starts with: reference rows for everyone, a demo district to look at."""

from db.seeds.demo import seed_demo
from db.seeds.geography import streets
from db.seeds.reference import seed_reference

__all__ = ["seed_demo", "seed_reference", "streets"]
