"""One catalogue, complete in both languages, and no text of a screen anywhere else."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

import pytest

import dashboard
from city.clock import ClockKind, LimitUnit, Standing
from city.incident import Action, IncidentState, Role, Source
from city.reading import METRICS
from dashboard.shell import assets
from dashboard.shell.components import ACTION_KEYS, FILE_STAGES, OPTIONAL_FIELDS
from dashboard.shell.i18n import CHINESE, ENGLISH, LANGUAGES, read_catalogue, texts

ROOT = Path(dashboard.__file__).parent
SCREENS = [
    *(ROOT / "screens").glob("*/*.py"),
    *(ROOT / "shell" / name for name in ("app.py", "components.py", "frame.py")),
]
SCRIPTS = [
    path
    for name, path in assets.published().items()
    if name.endswith(".js") and name not in assets.LIBRARIES
]
CJK = re.compile(r"[\u4e00-\u9fff]")
# Attributes of a component that a person reads or hears.
READ_ALOUD = {"title", "placeholder", "alt", "label", "aria-label", "aria-description"}
COMPONENT_MODULES = {"html", "dmc", "dcc"}
# Signs, not words: they mean the same in both languages.
SIGNS = re.compile(r"^[^A-Za-z\u4e00-\u9fff]*$|^(P90 |L)$")


def gaps(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("key", sorted(read_catalogue()))
def test_every_entry_has_both_languages_and_the_same_gaps(key: str) -> None:
    versions = read_catalogue()[key]
    assert set(versions) == set(LANGUAGES)
    assert all(versions[lang].strip() for lang in LANGUAGES)
    assert gaps(versions[CHINESE]) == gaps(versions[ENGLISH])


def test_english_text_holds_no_chinese_but_the_switch_back() -> None:
    allowed = {"switch.language", "switch.language_label", "place.endings"}
    wrong = [
        key
        for key, versions in read_catalogue().items()
        if CJK.search(versions[ENGLISH]) and key not in allowed
    ]
    assert wrong == []


def test_every_coded_word_is_in_the_catalogue() -> None:
    wanted = {
        *(f"state.{s}" for s in IncidentState),
        *(f"action.{a}" for a in Action),
        *(f"source.{s}" for s in Source),
        *(f"clock.{c}" for c in ClockKind),
        *(f"unit.{u}" for u in LimitUnit),
        *(f"standing.{s}" for s in Standing),
        *(f"role.{r}" for r in Role if r is not Role.SYSTEM),
        *(f"metric.{m}" for m in METRICS),
        *(f"severity.{s}" for s in range(1, 5)),
        *(f"severity_mark.{s}" for s in range(1, 5)),
        *(f"device_state.{s}" for s in range(7)),
        *(f"evidence.{s}" for s in FILE_STAGES),
        *(f"field.{f}" for fields in OPTIONAL_FIELDS.values() for f in fields),
        *(f"weekday.{d}" for d in range(7)),
    }
    assert wanted - set(read_catalogue()) == set()


def test_every_action_has_its_own_key() -> None:
    assert set(ACTION_KEYS) == set(Action)
    assert len(set(ACTION_KEYS.values())) == len(ACTION_KEYS)
    script = (ROOT / "screens" / "console" / "script.js").read_text(encoding="utf-8")
    block = script.partition("const KEYS = {")[2].partition("};")[0]
    own = set(re.findall(r"(?:^|[\s,])'?(\S)'?: (?:e|\(\)) =>", block))
    assert {"j", "k", "/", "m"} <= own
    acknowledge_the_alarm, buttons = {"l"}, set("rv?+-12345")
    assert not own & acknowledge_the_alarm
    assert not (own | acknowledge_the_alarm | buttons) & set(ACTION_KEYS.values())


def test_an_unknown_language_reads_chinese() -> None:
    assert texts("fr")("nav.wall") == texts(CHINESE)("nav.wall")


def test_an_unknown_code_is_shown_as_it_is() -> None:
    assert texts(ENGLISH).word("state", "brand_new") == "brand_new"
    assert texts(ENGLISH).word("state", None) == ""


def test_a_row_without_an_english_name_shows_the_chinese_one() -> None:
    assert texts(ENGLISH).pick({"name_zh": "府城中队", "name_en": ""}, "name") == "府城中队"


def python_keys() -> Iterator[tuple[str, str]]:
    """Literal keys of `t("…")` calls, with the file they stand in."""
    for path in SCREENS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call) and node.args and is_lookup(node.func):
                first = node.args[0]
                if isinstance(first, ast.Constant) and isinstance(first.value, str):
                    yield path.name, first.value


def is_lookup(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "t"
    return isinstance(function, ast.Attribute) and function.attr == "t"


def script_keys() -> Iterator[tuple[str, str]]:
    """Literal keys of `gw.t('…')` calls; keys that are put together end in a dot or underscore."""
    for path in SCRIPTS:
        for key, what_follows in re.findall(r"gw\.t\('([^']+)'(.)", path.read_text("utf-8")):
            if what_follows in ",)":
                yield path.name, key


def test_every_key_that_the_screens_ask_for_is_there() -> None:
    asked = [*python_keys(), *script_keys()]
    assert len(asked) > 150
    assert [(where, key) for where, key in asked if key not in read_catalogue()] == []


def test_no_chinese_stands_outside_the_catalogue() -> None:
    """Comments may name a Chinese term; strings may not."""
    wrong = []
    for path in SCREENS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                wrong += [(path.name, node.value)] if CJK.search(node.value) else []
    for path in SCRIPTS:
        code = re.sub(r"/\*.*?\*/|//[^\n]*", "", path.read_text("utf-8"), flags=re.S)
        wrong += [(path.name, m.group()) for m in CJK.finditer(code)]
    assert wrong == []


def literal_texts() -> Iterator[tuple[str, str]]:
    """Strings handed to a component as its content, or as an attribute that is read."""
    for path in SCREENS:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not (isinstance(node, ast.Call) and is_component(node.func)):
                continue
            read = [*node.args[:1]]
            read += [k.value for k in node.keywords if k.arg in READ_ALOUD | {"children"}]
            for value in read:
                yield from ((path.name, text) for text in own_strings(value))


def is_component(function: ast.expr) -> bool:
    return (
        isinstance(function, ast.Attribute)
        and isinstance(function.value, ast.Name)
        and function.value.id in COMPONENT_MODULES
    )


def own_strings(value: ast.expr) -> Iterator[str]:
    """Strings of an expression that are content themselves, not arguments of a call in it."""
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value
    elif isinstance(value, ast.List | ast.Tuple):
        for item in value.elts:
            yield from own_strings(item)
    elif isinstance(value, ast.JoinedStr):
        for part in value.values:
            yield from own_strings(part)
    elif isinstance(value, ast.Starred):
        yield from own_strings(value.value)
    elif isinstance(value, ast.IfExp):
        yield from own_strings(value.body)
        yield from own_strings(value.orelse)


def test_no_component_says_anything_that_is_not_in_the_catalogue() -> None:
    assert [(where, text) for where, text in literal_texts() if not SIGNS.match(text)] == []


def test_no_script_writes_words_of_its_own() -> None:
    wrong = []
    for path in SCRIPTS:
        code = path.read_text("utf-8")
        found = re.findall(r"textContent = '([^']*)'|setText\([^,]+, '([^']*)'\)", code)
        wrong += [
            (path.name, text) for pair in found for text in pair if re.search("[A-Za-z]", text)
        ]
    assert wrong == []
