"""What a person says of how they are reached, judged. Pure."""

from __future__ import annotations

import re
from datetime import time

from city.delivery import Contact
from city.errors import InvalidInput
from city.requests import ContactRequest

EMAIL = re.compile(r"[^@\s<>,;\"]{1,64}@[^@\s<>,;\"]{1,250}")
PHONE = re.compile(r"\+?[0-9]{5,15}")
LANGUAGES = ("zh", "en")


def read_contact(person: str, asked: ContactRequest) -> Contact:
    """The contact that is asked for; raises `InvalidInput` naming the field."""
    email = asked.email.strip()
    phone = re.sub(r"[\s()-]", "", asked.phone)
    if email and not EMAIL.fullmatch(email):
        raise InvalidInput("email", email, "must be an address like name@city.example")
    if phone and not PHONE.fullmatch(phone):
        raise InvalidInput("phone", asked.phone, "must be a telephone number like +8613800000000")
    if asked.lang not in LANGUAGES:
        raise InvalidInput("lang", asked.lang, f"must be one of {', '.join(LANGUAGES)}")
    begin, end = (_clock(n, getattr(asked, n)) for n in ("quiet_from", "quiet_to"))
    if (begin is None) != (end is None):
        name = "quiet_to" if end is None else "quiet_from"
        raise InvalidInput(name, "", "is missing: quiet hours have a begin and an end")
    return Contact(person, email, phone, asked.lang, begin, end)


def _clock(name: str, text: str) -> time | None:
    if not text.strip():
        return None
    try:
        found = time.fromisoformat(text.strip())
    except ValueError as error:
        raise InvalidInput(name, text, "must be a time like 22:00") from error
    return found.replace(second=0, microsecond=0, tzinfo=None)
