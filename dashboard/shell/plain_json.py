"""Values of ours as plain JSON values."""

from __future__ import annotations

from typing import Any

import msgspec


def as_plain(value: Any) -> Any:
    """Dataclasses, structs, enums and times as plain JSON values."""
    return msgspec.to_builtins(value, str_keys=True, enc_hook=_encode)


def _encode(value: Any) -> Any:
    if isinstance(value, frozenset):
        return sorted(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")
