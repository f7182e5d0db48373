"""Try a model file before it is used: is it sound, does its codec load, what does a frame give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from city.errors import InvalidInput
from city.moment import EPOCH
from city.reading import TimeSource
from wire.device_model import DeviceModel
from wire.lorawan.codec import CodecCall, CodecFailed, run_one
from wire.models import parse_model, read_model, whole_codec
from wire.translate import translate
from wire.values import Stamp, flatten

# What a codec that cannot be used says to any frame; all else may be said of this frame alone.
UNUSABLE = ("SyntaxError", "the codec has no function", "ran longer", "MiB of memory")


@dataclass(frozen=True, slots=True)
class ModelReport:
    """A sound model, and what became of a frame that was tried: one line each."""

    model: DeviceModel
    lines: Sequence[str] = ()


def check_model(
    file: Path, codec: Path | None, frame: bytes | None, fport: int | None, now: datetime
) -> ModelReport:
    """The model of this file and codec; `InvalidInput` says what is wrong with it."""
    return _check(read_model(file, codec), str(codec or ""), frame, fport, now)


def check_text(name: str, text: str, codec: str) -> ModelReport:
    """The same of a model that is no file."""
    return _check(parse_model(name, text, whole_codec(codec)), "", None, None, EPOCH)


def _check(
    model: DeviceModel, codec: str, frame: bytes | None, fport: int | None, now: datetime
) -> ModelReport:
    if not model.codec:
        if frame is not None:
            raise InvalidInput(f"model {model.name}", "", "has no codec to read a frame with")
        return ModelReport(model)
    output = run_one(CodecCall(model.codec, frame or b"", fport, now))
    if isinstance(output, CodecFailed):
        if frame is None and not any(word in str(output) for word in UNUSABLE):
            return ModelReport(model)  # it loads, and refuses the empty frame
        raise InvalidInput(f"model {model.name}: codec", codec, str(output))
    if frame is None:
        return ModelReport(model)
    flat = flatten(output.data, Stamp(now, TimeSource.RECEIVED))
    found = translate(model.name, flat.values, model, None)
    unknown = [value for value in found.kept_out if not model.knows(value.name)]
    return ModelReport(
        model,
        [
            *(f"{r.metric} = {r.value:g} {r.unit} (from {r.raw_name})" for r in found.readings),
            *(f"refused: {reject.detail}" for reject in (*flat.rejects, *found.rejects)),
            *(f"without a reading: {value.name} = {value.value}" for value in unknown),
            *(f"warning: {warning}" for warning in output.warnings),
        ],
    )
