"""Who the servers run as, and whether that account gets to its files."""

import os
from pathlib import Path

import pytest

from stack import account
from stack.account import Account, may_enter, parse_capabilities
from stack.errors import StackError

SOMEBODY = Account("somebody", uid=4711, gid=4712)


def folder(mode: int, uid: int = 0, gid: int = 0) -> os.stat_result:
    return os.stat_result((0o040000 | mode, 0, 0, 1, uid, gid, 0, 0, 0, 0))


@pytest.mark.parametrize(
    ("status", "allowed"),
    [
        (folder(0o755), True),
        (folder(0o711), True),
        (folder(0o700), False),
        (folder(0o750), False),
        (folder(0o700, uid=4711), True),  # its own
        (folder(0o077, uid=4711), False),  # the owner's bits count for the owner, whatever follows
        (folder(0o710, gid=4712), True),
        (folder(0o701, gid=4712), False),  # and the group's bits for the group
    ],
)
def test_a_folders_mode_says_who_may_pass_through(status: os.stat_result, allowed: bool) -> None:
    assert may_enter(status, SOMEBODY) is allowed


def test_the_outermost_closed_folder_is_the_one_to_name(tmp_path: Path) -> None:
    inner = tmp_path / "closed" / "also-closed"
    inner.mkdir(parents=True)
    inner.chmod(0o700)
    inner.parent.chmod(0o700)
    nobody_else = Account("x", uid=os.getuid() + 1, gid=os.getgid() + 1)
    found = account.first_closed(inner, nobody_else)
    assert found is not None
    assert found in inner.parents


def test_without_root_nothing_is_put_before_the_command() -> None:
    assert account.launch_prefix(None, [Path("/")]) == []


def test_an_open_folder_needs_no_capability(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "first_closed", lambda _folder, _account: None)
    words = account.launch_prefix(SOMEBODY, [Path("/srv")])
    assert "--reuid=4711" in words
    assert not [word for word in words if "caps" in word]


def test_a_closed_folder_costs_one_capability_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "first_closed", lambda _folder, _account: Path("/root"))
    monkeypatch.setattr(account, "_capability", lambda: "dac_read_search")
    words = account.launch_prefix(SOMEBODY, [Path("/root/x")])
    assert "--bounding-set=-all,+dac_read_search" in words


def test_a_closed_folder_without_any_capability_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(account, "first_closed", lambda _folder, _account: Path("/root"))
    monkeypatch.setattr(account, "_capability", lambda: None)
    with pytest.raises(StackError, match=r"somebody, who may not enter /root.*chmod o\+x /root"):
        account.launch_prefix(SOMEBODY, [Path("/root/x")])


def test_capabilities_are_a_mask_in_the_status_file() -> None:
    text = "CapInh:\t0000000000000000\nCapBnd:\t0000000000000006\n"
    assert parse_capabilities(text, "CapBnd") == 0b110
    assert parse_capabilities(text, "CapAmb") == 0
