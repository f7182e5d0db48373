"""Device models: what a vendor calls its values, and what they are here.

One TOML file a model, named as the model, and for payloads of bytes a JavaScript file of the
same name with the LoRa Alliance's `decodeUplink` (TS013). An installation keeps models of its own
in a further folder (`use_model_folder`, the environment's GRIDWARDEN_MODELS_DIR), a city in its
own (`use_own_models`); one of the same name as ours takes its place. Keys of the TOML file:

    title = "Vendor and model, for people"
    kind = "gas" | "manhole" | "light" | "camera" | "any"
    interval_s = 3600               # how often a healthy device reports
    time_field = "device_time"      # optional: the value that is the device's own clock
    ignore = ["sn", "*_version"]    # known names that are no readings, with * and ?

    [[field]]
    names = ["level", "distance"]   # every spelling seen, case does not matter
    metric = "distance_mm"
    unit = "cm"                     # what the device sends, if the message does not say
    scale = 10                      # value * scale + offset is in the metric's unit; needed
    offset = 0                      #   only where the unit is not one that converts by itself
    values = { normal = 0, alarm = 1 }   # texts, truth values ("true", "false") and codes ("2"):
                                         #   the reading itself, neither scaled nor converted
    invert = true                   # 0 and 1 change places: a flag that says "battery is good"
    low = 0                         # plausible range of this model, in the metric's unit
    high = 5000
    sentinels = [65535, "no echo"]  # sent values that mean "no measurement"
    unless = { valid = "false" }    # no measurement either while another value of the message
                                    #   says this, or one of several texts
    suspect_if = { preheat = "true" }    # a measurement, but marked as not to be trusted
    wrap_deg = 360                  # angles above half of this are negative
    combine = "largest"             # several names, one metric: "first" (default) or "largest"

    [classes]                       # cameras: the vendor's class of object -> event type
    car = "vehicle"

    [command]                       # lamps on LoRaWAN: the downlink that sets their level
    f_port = 60
    bytes = "01 FE {level}"         # hex; {level} is one byte, 0 to 100 per cent

A codec whose first line is `// use: NAME` stands on `shared/NAME.js`, which is run before it: what
several of ours share. Any other codec is run as its vendor publishes it.

The forms in which batteries are reported, for one example each: per cent (`battery_pct`), volts
or `unit = "mV"` (`battery_v`), a fraction (`unit = "/"`), steps of 254 (`scale = 0.3937007874`),
a flag (`battery_low`, with `invert` where true means good), words (`values = { LOW = 1 }`), levels
(`scale = 33.33333333` for 0 to 3). Volts never become per cent: that depends on the chemistry.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

from city.errors import InvalidInput
from wire.device_model import KINDS, DeviceModel, FieldRule, parse_model

__all__ = [
    "FOLDER", "KINDS", "DeviceModel", "FieldRule", "broken_models", "load_model", "model_names",
    "parse_model", "read_model", "use_model_folder", "use_own_models", "whole_codec",
]  # fmt: skip

log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
SHARED = FOLDER / "shared"
_USES = re.compile(r"// use: ([a-z0-9-]{1,64})\r?\n")
# Bytes of a model file or codec that is read at all.
FILE_LIMIT = 2 * 1024 * 1024

_folders: list[Path] = [FOLDER]  # later ones win
# Text and codec of models that cities brought, by name; they win over files.
Texts = Mapping[str, tuple[str, str]]
_texts: Texts = {}


def use_model_folder(folder: Path | None) -> None:
    """Look for models in this folder too; None for ours alone. Files are read once."""
    _folders[1:] = [] if folder is None else [folder]
    load_model.cache_clear()
    model_names.cache_clear()
    if folder is not None and not folder.is_dir():
        log.error("the folder of device models is not there: %s", folder)
    for name, problem in broken_models().items():
        log.error("model %s in %s cannot be used: %s", name, folder, problem)


def use_own_models(texts: Texts) -> None:
    """Take these models of cities for those of their names, until others are given."""
    global _texts
    if texts == _texts:
        return
    _texts = dict(texts)
    load_model.cache_clear()
    model_names.cache_clear()
    for name in _texts:
        try:
            _own_model(name)
        except InvalidInput as error:
            log.error("model %s of the city cannot be used: %s", name, error)


def _own_model(name: str) -> DeviceModel | None:
    if name not in _texts:
        return None
    text, codec = _texts[name]
    return parse_model(name, text, whole_codec(codec))


@lru_cache(maxsize=1024)
def load_model(name: str) -> DeviceModel | None:
    """The model of this name, or None if there is no such file. A broken file of the
    installation's own counts as none; ours of the same name is used in its place."""
    try:
        if (own := _own_model(name)) is not None:
            return own
    except InvalidInput:  # told by name when it was given
        pass
    for folder in reversed(_folders):
        path = _files(folder).get(name)
        if path is None:
            continue
        try:
            return read_model(path)
        except InvalidInput:  # told by name when the folder was named
            if folder is FOLDER:
                raise
    return None


@lru_cache(maxsize=1)
def model_names() -> frozenset[str]:
    """Every model there is a file for."""
    return frozenset({*_texts, *(name for folder in _folders for name in _files(folder))})


def broken_models() -> dict[str, str]:
    """The installation's own model files that cannot be used, with what is wrong."""
    problems = {}
    for folder in _folders[1:]:
        for name, path in _files(folder).items():
            try:
                read_model(path)
            except InvalidInput as error:
                problems[name] = str(error)
    return problems


def read_model(path: Path, codec: Path | None = None) -> DeviceModel:
    """The model of one file and the codec beside it, or another; `InvalidInput` says what is
    wrong with it."""
    script = codec or path.with_suffix(".js")
    code = _read(script) if codec or script.exists() else ""
    return parse_model(path.stem, _read(path), whole_codec(code))


def whole_codec(code: str) -> str:
    """A codec behind the shared code that its first line names. A name of which we have nothing is
    a comment like any other: codecs of vendors are not ours to judge."""
    named = _USES.match(code)
    shared = SHARED / f"{named[1]}.js" if named else None
    return f"{_read(shared)}\n{code}" if shared is not None and shared.is_file() else code


def _files(folder: Path) -> dict[str, Path]:
    try:
        return {path.stem: path for path in sorted(folder.glob("*.toml"))}
    except OSError:
        return {}


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > FILE_LIMIT:
            raise InvalidInput(str(path), "", f"is longer than {FILE_LIMIT} bytes")
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise InvalidInput(str(path), "", f"cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InvalidInput(str(path), "", f"is not UTF-8 text: {error.reason}") from None
