"""`run-cards/*.toml`, a card a file, and `certificates.csv`: what people may do. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence

from city.certificate import Certificate
from city.errors import InvalidInput
from city.run_card import RunCard, parse_card
from founding.parts import Entry, Fault, Person, SquadPart

CARD = re.compile(r"run-cards/([a-z0-9][a-z0-9-]{0,63})\.toml")
FOLDER = "run-cards/"
CERTIFICATES = "certificates.csv"


def is_card_file(name: str) -> bool:
    return CARD.fullmatch(name) is not None


def read_cards(files: Mapping[str, bytes], faults: list[Fault]) -> dict[str, str] | None:
    """Texts by code, which is the name of the file; None where the folder has none."""
    texts = {}
    for file in sorted(files):
        if is_card_file(file):
            try:
                texts[file.removeprefix(FOLDER).removesuffix(".toml")] = files[file].decode()
            except UnicodeDecodeError:
                faults.append(Fault(file, None, "", "", "must be saved as UTF-8"))
    return texts or None


def judge_cards(
    texts: Mapping[str, str],
    categories: Iterable[str],
    areas: Collection[str] | None,
    squads: Mapping[str, SquadPart],
    faults: list[Fault],
) -> None:
    """What is wrong with each, also with what it names: categories, areas, skills and kinds that
    nobody has."""
    known = list(categories)
    for code, text in texts.items():
        file = f"{FOLDER}{code}.toml"
        try:
            card = parse_card(text, file)
        except InvalidInput as error:
            place = error.field.removeprefix(file).lstrip(": ")
            value = "" if error.value is None else str(error.value)
            faults.append(Fault(file, None, place, value, error.problem))
            continue
        faults += _strangers(file, code, card, known, areas, squads)


def _strangers(
    file: str,
    code: str,
    card: RunCard,
    categories: Sequence[str],
    areas: Collection[str] | None,
    squads: Mapping[str, SquadPart],
) -> Iterable[Fault]:
    if card.code != code:
        yield Fault(file, None, "code", card.code, f"is not the name of the file, {code}")
    for begin in card.categories:
        if not any(category.startswith(begin) for category in categories):
            yield Fault(file, None, "categories", begin, "begins no code of a category")
    for area in card.areas:
        if areas is not None and area not in areas:
            yield Fault(file, None, "areas", area, "is neither an area nor a kind of areas")
    for send in card.send:
        if not any(_can_go(squad, send.skill, send.kind) for squad in squads.values()):
            wanted = f"{send.kind} {send.skill}".strip()
            yield Fault(file, None, "send", wanted, "is what no squad is and can")


def _can_go(squad: SquadPart, skill: str, kind: str) -> bool:
    return skill in squad.skills and kind in ("", squad.kind)


def judge_certificates(
    entries: Sequence[Entry[Certificate]], people: Mapping[str, Person], faults: list[Fault]
) -> dict[str, tuple[Certificate, ...]]:
    """By person, in the order of skills."""
    found: dict[str, dict[str, Certificate]] = {}
    for entry in entries:
        one = entry.value
        mine = found.setdefault(one.person, {})
        if one.person not in people:
            faults.append(
                Fault(CERTIFICATES, entry.row, "person", one.person, "is nobody of people.csv")
            )
        elif one.skill in mine:
            faults.append(Fault(CERTIFICATES, entry.row, "skill", one.skill, "is there twice"))
        mine[one.skill] = one
    return {
        person: tuple(one for _, one in sorted(mine.items()))
        for person, mine in sorted(found.items())
    }
