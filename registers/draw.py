"""A random draw of entries and of who inspects them (双随机), repeatable from its seed. Pure.

An entry of weight w gets the key -ln(u)/w, u in (0, 1) out of SHA-256 over seed and code; the
smallest keys are drawn (Efraimidis and Spirakis: a weighted sample without replacement). The
logarithm is that of decimal arithmetic, which is the same on every machine.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import Context, Decimal

from city.errors import InvalidInput
from city.register import Assignment, Register, RegisterEntry, StoredEntry

ALGORITHM = "sha256-exponential-1"
WEIGHT_DEFAULT = 1
SEED_MAX = 200
_CONTEXT = Context(prec=28)
_STEPS = Decimal(2**128)

NOBODY: Mapping[str, Collection[str]] = {}

Weighted = tuple[str, int]


def weight_of(register: Register, entry: RegisterEntry | StoredEntry) -> int:
    """By the credit class of the entry; 0 is never drawn."""
    if not register.credit:
        return WEIGHT_DEFAULT
    return register.weights.get(entry.value(register.credit), WEIGHT_DEFAULT)


def draw(
    seed: str,
    population: Iterable[Weighted],
    inspectors: Sequence[str],
    wanted: int,
    each: int,
    recused: Mapping[str, Collection[str]] = NOBODY,
) -> list[Assignment]:
    """`wanted` entries, each with `each` different inspectors; everybody gets as many as anybody,
    give or take one, where nobody is `recused` from an entry (回避). The order in which population
    and inspectors come changes nothing."""
    people = sorted(set(inspectors))
    candidates = [(code, weight) for code, weight in population if weight > 0]
    if not 1 <= len(seed) <= SEED_MAX:
        raise InvalidInput("seed", seed, f"must have 1 to {SEED_MAX} characters")
    if not 1 <= wanted <= len(candidates):
        raise InvalidInput("objects", wanted, f"must be from 1 to {len(candidates)}")
    if not 1 <= each <= len(people):
        raise InvalidInput("each", each, f"must be from 1 to the {len(people)} inspectors")
    keyed = sorted((_key(seed, code, weight), code) for code, weight in candidates)
    dealt = sorted(people, key=lambda name: _digest(seed, "inspector", name))
    given = dict.fromkeys(dealt, 0)
    found = []
    for _, code in keyed[:wanted]:
        able = [name for name in dealt if name not in recused.get(code, ())]
        if len(able) < each:
            raise InvalidInput("each", each, f"is more than the {len(able)} who may inspect {code}")
        # Stable: of those who have as few, the one who was dealt first.
        who = tuple(sorted(able, key=given.__getitem__)[:each])
        for name in who:
            given[name] += 1
        found.append(Assignment(code, who))
    return found


def _key(seed: str, code: str, weight: int) -> Decimal:
    number = int.from_bytes(_digest(seed, "entry", code)[:16], "big")
    u = _CONTEXT.divide(Decimal(2 * number + 1), 2 * _STEPS)
    return _CONTEXT.divide(-_CONTEXT.ln(u), Decimal(weight))


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("\x1f".join(parts).encode()).digest()


def digest_of(
    population: Sequence[Sequence[object]],
    inspectors: Sequence[str],
    recused: Sequence[Sequence[object]] = (),
) -> str:
    """Of all that a draw is made from beside its seed; it stands in the event log."""
    made_from = [list(map(list, population)), list(inspectors)]
    if recused:
        made_from.append(list(map(list, recused)))
    text = json.dumps(made_from, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
