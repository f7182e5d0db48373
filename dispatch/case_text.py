"""What cases are found by: text in Chinese, its pinyin and initials, numbers and codes. Pure.

A case has a document: its text, how the Chinese of it sounds, and the small pieces (grams) that
an index finds candidates by. Candidates are always compared with the document itself, so a gram
too many costs time and never an answer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from zlib import crc32

from city.errors import InvalidInput

# A document longer than this is cut: notes of years are not what people remember a case by.
TEXT_MAX = 20_000
# Terms of one search, and characters of one term; more narrows nothing down any further.
TERMS_MAX, TERM_MAX = 8, 60

_WORD = re.compile(r"[a-z0-9]+|[㐀-鿿豈-﫿]+")
_CHINESE = re.compile(r"[㐀-鿿豈-﫿]")
_LATIN_TERM = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class CaseText:
    """`text` is folded: compatible forms, small letters, single spaces. `sound` has every
    syllable of a Chinese run behind a space and a bar between runs; `initials` are the first
    letters of the syllables, a space before each run."""

    text: str
    sound: str
    initials: str

    @property
    def grams(self) -> list[int]:
        """Numbers of the pieces, ascending, as signed 32-bit integers."""
        return sorted({_number(gram) for gram in _grams_of(self)})


@dataclass(frozen=True, slots=True)
class Term:
    """One word of a search. It is found where the text holds it or, of letters, where a Chinese
    run sounds so from the beginning of a syllable on, or has these initials."""

    word: str
    is_latin: bool

    @property
    def grams(self) -> list[int]:
        """Pieces that every document has in which the term is found; without any, an index is
        of no use to it."""
        found: set[str] = set()
        for run in _WORD.findall(self.word):
            found |= set(_latin_grams(run) if _LATIN_TERM.fullmatch(run) else _chinese_grams(run))
        return sorted(_number(gram) for gram in found)

    @property
    def sounds_like(self) -> str | None:
        """A regular expression for `CaseText.sound`; None: it is no sound."""
        return " " + " ?".join(self.word) if self.is_latin and self.word.isalpha() else None


def fold(text: str) -> str:
    """Full-width letters, capitals and white space are no differences."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def case_text(parts: Sequence[str]) -> CaseText:
    """The document of a case out of everything that is said of it."""
    text = fold(" \n ".join(part for part in parts if part))[:TEXT_MAX]
    runs = [_syllables(run) for run in _WORD.findall(text) if _CHINESE.match(run)]
    return CaseText(
        text=text,
        sound="|".join("".join(" " + syllable for syllable in run) for run in runs),
        initials="".join(" " + "".join(s[0] for s in run) for run in runs),
    )


def read_query(query: str) -> list[Term]:
    """The terms of a search; every one of them must be found."""
    words = fold(query).split()
    if not words:
        raise InvalidInput("q", query, "is empty: a number, a name, a place or a word of the case")
    if len(words) > TERMS_MAX:
        raise InvalidInput("q", query, f"has {len(words)} words; {TERMS_MAX} at most")
    terms = []
    for word in words:
        if len(word) > TERM_MAX:
            raise InvalidInput("q", word, f"is longer than {TERM_MAX} characters")
        is_latin = _LATIN_TERM.fullmatch(word) is not None
        if is_latin and len(word) < 2:
            raise InvalidInput("q", word, "two letters or digits are the least")
        terms.append(Term(word, is_latin))
    return terms


def _grams_of(document: CaseText) -> Iterator[str]:
    for run in _WORD.findall(document.text):
        if _CHINESE.match(run):
            yield from run
            yield from _chinese_grams(run)
        else:
            yield from _all_latin_grams(run)
    for run in document.sound.split("|"):
        yield from _all_latin_grams(run.replace(" ", ""))
    for run in document.initials.split():
        yield from _all_latin_grams(run)


def _all_latin_grams(run: str) -> Iterator[str]:
    yield from (run[i : i + 2] for i in range(len(run) - 1))
    yield from (run[i : i + 3] for i in range(len(run) - 2))


def _latin_grams(run: str) -> Iterator[str]:
    """Of a term: its threes, and of two letters themselves; a single one has none."""
    if len(run) == 2:
        yield run
    yield from (run[i : i + 3] for i in range(len(run) - 2))


def _chinese_grams(run: str) -> Iterator[str]:
    if len(run) == 1:
        yield run
    yield from (run[i : i + 2] for i in range(len(run) - 1))


@lru_cache(maxsize=20_000)  # the same names stand in many cases
def _syllables(run: str) -> tuple[str, ...]:
    """How Chinese sounds, without tones, ü as v; characters that no dictionary has are left
    out."""
    # Its dictionaries take a moment to load: only who writes documents needs them.
    from pypinyin import Style, lazy_pinyin

    found = lazy_pinyin(run, style=Style.NORMAL, errors="ignore", v_to_u=False)
    return tuple(s for s in (re.sub("[^a-z]", "", sound) for sound in found) if s)


def _number(gram: str) -> int:
    unsigned = crc32(gram.encode())
    return unsigned - 2**32 if unsigned >= 2**31 else unsigned


def is_found(term: Term, document: CaseText) -> bool:
    """Whether a document has a term, as the database judges it."""
    if term.word in document.text:
        return True
    if term.sounds_like is None:
        return False
    return bool(re.search(term.sounds_like, document.sound)) or term.word in document.initials


@lru_cache(maxsize=20_000)  # names of categories and places are looked through at every key
def name_text(name: str) -> CaseText:
    """The document of a name."""
    return case_text([name])
