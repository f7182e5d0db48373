"""The verbs for device models: which there are, and whether a file of one's own is sound."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from city.errors import InvalidInput
from wire.model_check import check_model
from wire.models import broken_models, load_model, model_names


@click.group()
def model() -> None:
    """Device models."""


@model.command("list")
@click.option("--json", "as_json", is_flag=True)
def model_list(as_json: bool) -> None:
    """Every model that can be named in the registry, and files that cannot be used."""
    rows = [_row(name) for name in sorted(model_names())]
    broken = broken_models()
    if as_json:
        click.echo(json.dumps({"models": rows, "broken": broken}, ensure_ascii=False, indent=1))
        return
    width = max(len(str(row["name"])) for row in rows)
    for row in rows:
        codec = "codec" if row["codec"] else ""
        click.echo(f"{row['name']:<{width}}  {row['kind']:<8}{codec:<7}{row['title']}")
    for name, problem in sorted(broken.items()):
        click.echo(f"cannot be used: {name}: {problem}", err=True)


def _row(name: str) -> dict[str, object]:
    found = load_model(name)
    if found is None:
        return {
            "name": name,
            "kind": "",
            "codec": False,
            "interval_s": 0,
            "title": "cannot be used",
            "metrics": [],
        }
    return {
        "name": name, "kind": found.kind, "codec": bool(found.codec),
        "interval_s": found.interval_s, "title": found.title,
        "metrics": sorted({rule.metric.name for rule in found.rules.values()}),
    }  # fmt: skip


@model.command("check")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--codec",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Codec in JavaScript; without it the file of the same name beside FILE.",
)
@click.option("--frame", "frame_hex", default=None, help="Bytes of a device to try, in hex.")
@click.option("--port", type=click.IntRange(0, 255), default=None, help="LoRaWAN port of it.")
def model_check(file: Path, codec: Path | None, frame_hex: str | None, port: int | None) -> None:
    """Validate a model file, load its codec, and say what a frame gives; nothing is stored."""
    frame = None if frame_hex is None else _bytes(frame_hex)
    report = check_model(file, codec, frame, port, datetime.now(UTC))
    names = len(report.model.rules)
    codec_text = "with a codec" if report.model.codec else "without a codec"
    click.echo(f"{file}: model {report.model.name} is valid: {names} names, {codec_text}")
    for line in report.lines:
        click.echo(f"  {line}")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        raise InvalidInput("--frame", text, "must be bytes in hex") from None
