"""The public page: no sign-in, no cookie, nothing personal, and only so much of it."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from PIL import ExifTags, Image

from city.incident import Role
from city.intake import read_code

AT = {"lon": "110.36", "lat": "20.0"}
SAID = {"kind": "cover", "said": "<script>alert(1)</script> the cover is gone", "phone": "1398888"}


def a_photo(lon: float | None = None) -> bytes:
    """A small JPEG, taken at this longitude on 20° N."""
    out, exif = io.BytesIO(), Image.Exif()
    if lon is not None:
        place = exif.get_ifd(ExifTags.IFD.GPSInfo)
        place[ExifTags.GPS.GPSLatitudeRef], place[ExifTags.GPS.GPSLongitudeRef] = "N", "E"
        place[ExifTags.GPS.GPSLatitude] = (20.0, 0.0, 0.0)
        place[ExifTags.GPS.GPSLongitude] = (int(lon), (lon - int(lon)) * 60, 0.0)
    Image.new("RGB", (32, 24), (90, 60, 30)).save(out, "JPEG", exif=exif)
    return out.getvalue()


@pytest.fixture(autouse=True)
def _no_one_counted(site) -> Iterator[None]:
    """Every test is the first from this address: its server's own counters begin anew."""
    yield
    for key in site.parts.redis.keys("gw:attempt:*"):
        site.parts.redis.delete(key)


def form_of(client: httpx.Client) -> str:
    page = client.get("/report?lang=en")
    assert page.status_code == 200
    found = re.search(r'name="form" value="([^"]+)"', page.text)
    assert found is not None
    return html.unescape(found[1])


def send(client: httpx.Client, files: Any = None, **values: str) -> httpx.Response:
    fields = {"lang": "en", **SAID, **AT, **values}
    fields.setdefault("form", form_of(client))
    photos = files or [("photo", ("", b"", "application/octet-stream"))]
    return client.post("/report", data=fields, files=photos)


def sent(client: httpx.Client, files: Any = None, **values: str) -> str:
    answer = send(client, files, **values)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"].partition("?")[0].removeprefix("/report/")


def test_a_report_is_answered_with_a_number_that_shows_plain_states_alone(site) -> None:
    with site.client(None) as client, site.client(Role.DISPATCHER) as centre:
        number = sent(client, [("photo", ("p.jpg", a_photo(110.37), "image/jpeg"))])
        page = client.get(f"/report/{number.lower()}?lang=en")
        assert "Received; somebody will look at it" in page.text
        for hidden in (SAID["phone"], "the cover is gone", "110.36"):
            assert hidden not in page.text
        assert "set-cookie" not in page.headers
        [item] = centre.get("/api/v1/reports?state=waiting").json()["items"]
        assert item["code"] == read_code(number)
        assert item["photos"][0]["metres_away"] == pytest.approx(1045, abs=5)
        photo = centre.get(f"/api/v1/reports/{item['id']}/photos/1")
        assert photo.headers["Content-Type"] == "image/jpeg"
        assert "sandbox" in photo.headers["Content-Security-Policy"]
        asked = {"version": 1, "category": "0101", "verify": True}
        taken = centre.post(f"/api/v1/reports/{item['id']}/accept", json=asked)
        assert taken.status_code == 200, taken.text
        case = centre.get(f"/api/v1/incidents/{taken.json()['incident_id']}").json()
        assert (case["state"], case["source"]) == ("verifying", "public")
        assert [e["stage"] for e in case["evidence"]] == ["photo_before"]
        assert case["evidence"][0]["doubts"][0]["code"] == "elsewhere"
        assert "Taken on; being verified" in client.get(f"/report/{number}?lang=en").text
        again = centre.post(f"/api/v1/reports/{item['id']}/accept", json=asked)
        assert again.status_code == 409
        [call] = centre.get(f"/api/v1/intake?incident_id={case['id']}").json()["items"]
        assert (call["channel"], call["wants_call_back"]) == ("public", True)
    with site.client(Role.LEADER) as leader:
        [shown] = leader.get("/api/v1/reports").json()["items"]
        assert shown["phone"] == ""
        assert leader.post(f"/api/v1/reports/{item['id']}/reject", json={}).status_code == 403


def test_the_same_form_twice_is_one_report(site) -> None:
    with site.client(None) as client:
        form = form_of(client)
        assert sent(client, form=form) == sent(client, form=form)


def test_a_report_that_is_refused_says_why_and_spam_says_nothing(site) -> None:
    with site.client(None) as client, site.client(Role.CHECKER) as checker:
        numbers = [sent(client, [("photo", ("p.jpg", a_photo(), "image/jpeg"))]) for _ in "ab"]
        found = {item["code"]: item for item in checker.get("/api/v1/reports").json()["items"]}
        refused, spam = (found[str(read_code(number))] for number in numbers)
        asked = {"version": 1, "reason": "not_ours"}
        url = f"/api/v1/reports/{refused['id']}/reject"
        assert checker.post(url, json=asked).json() == {"state": "rejected"}
        url = f"/api/v1/reports/{spam['id']}/spam"
        assert checker.post(url, json={"version": 1}).json() == {"state": "spam"}
        assert "not a matter of city management" in client.get(f"/report/{numbers[0]}?lang=en").text
        page = client.get(f"/report/{numbers[1]}?lang=en").text
        assert "Not taken on" in page
        assert "spam" not in page.lower()
    kept = "SELECT count(*) FROM public_report_photo WHERE report_id = %s"
    assert site.sql(kept, (spam["id"],)) == [(0,)]
    assert site.sql(kept, (refused["id"],)) == [(1,)]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"kind": "murder"}, "choose what it is"),
        ({"said": " "}, "say what is the matter"),
        ({"said": "x" * 1001}, "say what is the matter"),
        ({"lon": "", "lat": ""}, "choose the place"),
        ({"lon": "abc"}, "choose the place"),
        ({"lon": "0"}, "outside the area"),
        ({"phone": "<b>"}, "telephone number has digits"),
        ({"form": "made up"}, "send it again"),
        ({"website": "http://spam.example"}, "send it again"),
    ],
)
def test_what_is_not_right_is_said_in_one_sentence_and_nothing_is_kept(
    site, values: dict[str, str], sentence: str
) -> None:
    before = site.sql("SELECT count(*) FROM public_report")
    with site.client(None) as client:
        answer = send(client, **values)
    assert answer.status_code == 422
    assert sentence in answer.text
    assert "<script>alert(1)" not in answer.text
    assert site.sql("SELECT count(*) FROM public_report") == before


def test_files_that_are_no_pictures_or_too_many_are_refused(site) -> None:
    good = ("photo", ("p.jpg", a_photo(), "image/jpeg"))
    bad = [
        [("photo", ("p.jpg", b"GIF89a no picture", "image/jpeg"))],
        [("photo", ("p.pdf", b"%PDF-1.4 a document", "application/pdf"))],
        [good] * 4,
    ]
    with site.client(None) as client:
        for files in bad:
            answer = send(client, files)
            assert answer.status_code == 422
            assert "photos were not taken" in answer.text


def test_a_place_in_words_is_enough_without_scripts(site) -> None:
    with site.client(None) as client:
        assert sent(client, lon="", lat="", place="In front of the school")


def test_another_site_cannot_send_and_an_address_only_so_often(site) -> None:
    with site.client(None) as client:
        other = {"Sec-Fetch-Site": "cross-site"}
        assert client.post("/report", data=SAID, headers=other).status_code == 403
        seen = {client.post("/report", data=SAID).status_code for _ in range(25)}
        assert seen == {422, 429}


def test_numbers_are_not_found_by_trying(site) -> None:
    with site.client(None) as client:
        assert client.get("/report/AAAAA-AAAAA?lang=en").status_code == 404
        assert client.get("/report/..%2fapi?lang=en").status_code in (401, 404)
        seen = {client.get("/report/22222-22223").status_code for _ in range(35)}
        assert seen == {404, 429}


def test_the_map_of_the_page_shows_no_device(site) -> None:
    with site.client(None) as client:
        drawn = client.get("/report/map.json").json()
        assert set(drawn) == {"outlines", "names", "streets"}
        assert drawn["outlines"]
        assert client.get("/api/v1/reports").status_code == 401
