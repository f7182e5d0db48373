"""Model files: all of ours are sound, and a wrong one is told where it is wrong."""

from __future__ import annotations

import pytest

from city.errors import InvalidInput
from city.reading import METRICS
from wire.models import FOLDER, KINDS, load_model, model_names, parse_model

SOUND = """
title = "A sensor"
kind = "gas"
interval_s = 60
ignore = ["SN", "*_Version"]

[[field]]
names = ["CH4", "methane"]
metric = "ch4_pct_lel"
"""


@pytest.mark.parametrize("name", sorted(model_names()))
def test_every_model_file_is_sound(name: str) -> None:
    model = load_model(name)
    assert model is not None
    assert model.title
    assert model.kind in KINDS
    assert all(rule.metric.name in METRICS for rule in model.rules.values())


def test_every_codec_belongs_to_a_model() -> None:
    codecs = {path.stem for path in FOLDER.glob("*.js")}
    assert codecs <= model_names()
    assert {"milesight-gs101", "milesight-em310-tilt", "milesight-em300-sld"} <= codecs


def test_the_models_of_the_first_fleets_are_there() -> None:
    assert {
        "milesight-gs101",
        "milesight-em310-tilt",
        "milesight-em300-sld",
        "dingtek-dc410",
        "dingtek-dc413",
        "generic-native",
        "frigate",
    } <= model_names()


@pytest.mark.parametrize("name", ["", "none", "../decode", "milesight-gs101.toml", "/etc/passwd"])
def test_another_name_is_no_model(name: str) -> None:
    assert load_model(name) is None


def test_names_are_known_in_any_case() -> None:
    model = parse_model("m", SOUND)
    assert model.rule("ch4") is model.rule("METHANE")
    assert model.rule("co") is None
    assert model.knows("sn")
    assert model.knows("hardware_version")
    assert not model.knows("co")


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ('kind = "gas"', 'kind = "fish"'),
        ('title = "A sensor"', ""),
        ("interval_s = 60", "interval_s = 0"),
        ("interval_s = 60", 'interval_s = "60"'),
        ("interval_s = 60", "interval_s = true"),
        ('metric = "ch4_pct_lel"', 'metric = "ch4"'),
        ('metric = "ch4_pct_lel"', ""),
        ('names = ["CH4", "methane"]', "names = []"),
        ('names = ["CH4", "methane"]', "names = [1]"),
        ('names = ["CH4", "methane"]', 'names = ["CH4", "ch4"]'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\ntypo = 1'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\nscale = "2"'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\nscale = inf'),
        ('metric = "ch4_pct_lel"', 'metric = "gas_alarm"\nvalues = { on = 2 }'),
        ('metric = "ch4_pct_lel"', 'metric = "gas_alarm"\nvalues = { on = "1" }'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\ncombine = "sum"'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\nsentinels = [true]'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\ninvert = true'),
        ('metric = "ch4_pct_lel"', 'metric = "gas_alarm"\ninvert = 1'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\nunless = { valid = false }'),
        ('metric = "ch4_pct_lel"', 'metric = "ch4_pct_lel"\nsuspect_if = { preheat = [] }'),
        ('title = "A sensor"', 'title = "A sensor"\ncolour = 1'),
        ('title = "A sensor"', 'title = "A sensor"\nclasses = { car = 1 }'),
        ('title = "A sensor"', "title ="),
        ("[[field]]", "[field]"),
    ],
)
def test_a_wrong_model_file_says_which_model_and_what(change: str, place: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_model("wrong-one", SOUND.replace(change, place))
    assert "wrong-one" in str(caught.value)


def test_both_hands_of_a_name_belong_to_one_rule_only() -> None:
    twice = SOUND + '\n[[field]]\nnames = ["methane"]\nmetric = "ch4_pct_vol"\n'
    with pytest.raises(InvalidInput, match="twice"):
        parse_model("m", twice)
