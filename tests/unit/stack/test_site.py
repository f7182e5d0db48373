"""Passwords and logs of a data folder."""

from pathlib import Path

from stack import site


def test_passwords_are_made_once_and_only_their_owner_reads_them(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    first = site.load_passwords(path, ("postgres", "redis"))
    assert len(set(first.values())) == 2
    assert site.load_passwords(path, ("postgres", "redis")) == first
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_new_server_gets_a_password_and_the_others_keep_theirs(tmp_path: Path) -> None:
    path = tmp_path / "passwords.json"
    first = site.load_passwords(path, ("redis",))
    assert site.load_passwords(path, ("redis", "new"))["redis"] == first["redis"]


def test_a_log_that_has_grown_too_long_is_put_aside(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "redis.log"
    site.open_log(path).close()
    with path.open("ab") as file:
        file.truncate(site.LOG_LIMIT_BYTES + 1)
    site.open_log(path).close()
    assert path.stat().st_size == 0
    assert (tmp_path / "logs" / "redis.log.1").stat().st_size == site.LOG_LIMIT_BYTES + 1


def test_the_last_words_of_a_log_are_its_last_line_that_says_something(tmp_path: Path) -> None:
    path = tmp_path / "x.log"
    assert site.last_log_line(path) == "it said nothing"
    path.write_text("one\nFATAL: two\n\n")
    assert site.last_log_line(path) == "FATAL: two"
