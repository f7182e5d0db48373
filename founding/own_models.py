"""`models/*.toml` and the codecs beside them: a city's own device models. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping

from city.errors import InvalidInput
from founding.parts import CheckModel, Fault, ModelPart

MODEL = re.compile(r"models/([A-Za-z0-9][A-Za-z0-9._-]{0,63})\.(toml|js)")
FOLDER = "models/"


def is_model_file(name: str) -> bool:
    return MODEL.fullmatch(name) is not None


def read_models(files: Mapping[str, bytes], faults: list[Fault]) -> dict[str, ModelPart] | None:
    """Models by name; None where the folder has none."""
    texts: dict[str, str] = {}
    for file in sorted(files):
        if is_model_file(file):
            try:
                texts[file] = files[file].decode("utf-8-sig")
            except UnicodeDecodeError:
                faults.append(Fault(file, None, "", "", "must be saved as UTF-8"))
    if not texts:
        return None
    found = {}
    for file, text in texts.items():
        stem, _, kind = file.removeprefix(FOLDER).rpartition(".")
        if kind == "toml":
            found[stem] = ModelPart(stem, text, texts.get(f"{FOLDER}{stem}.js", ""))
        elif f"{FOLDER}{stem}.toml" not in files:
            problem = f"has no model beside it: {stem}.toml is missing"
            faults.append(Fault(file, None, "", "", problem))
    return found


def judge_models(models: Mapping[str, ModelPart], check: CheckModel, faults: list[Fault]) -> None:
    """What `gridwarden model check` would say of each."""
    for name, model in models.items():
        try:
            check(name, model.text, model.codec)
        except InvalidInput as error:
            place = error.field.removeprefix(f"model {name}").lstrip(":, ")
            kind = "js" if place.startswith("codec") and model.codec else "toml"
            value = "" if error.value is None else str(error.value)
            faults.append(Fault(f"{FOLDER}{name}.{kind}", None, place, value, error.problem))


def write_models(models: Mapping[str, ModelPart]) -> dict[str, str]:
    """Files by name."""
    files = {}
    for name, model in sorted(models.items()):
        files[f"{FOLDER}{name}.toml"] = model.text
        if model.codec:
            files[f"{FOLDER}{name}.js"] = model.codec
    return files
