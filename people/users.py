"""What administrators do to people: add, shut out, let in again, another password or role."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from city.errors import Conflict, NotFound
from city.incident import Role
from city.person import Caller
from city.requests import PasswordRequest, RoleRequest, UserRequest
from city.stale_version import is_stale_version
from db import users
from db.pool import Connection
from db.users import Account
from people.rights import check_administrator, tell


def add_user(conn: Connection, caller: Caller, request: UserRequest, now: datetime) -> Account:
    """Somebody new, in the caller's district."""
    check_administrator(caller)
    name, role, squad = request.name, request.role, request.squad
    users.add_user(
        conn, name, request.password, role, caller.district, now,
        squad=squad, display_name=request.display_name.strip(), divisions=request.divisions,
    )  # fmt: skip
    account = _find(conn, caller, name)
    bounds = list(account.divisions) or None
    tell(conn, caller, now, "user.added", name, role=role, squad=squad, divisions=bounds)
    return account


def disable_user(
    conn: Connection, caller: Caller, name: str, version: int | None, now: datetime
) -> Account:
    """Shut somebody out, at once; what they did stays under their name."""
    account = find_to_change(conn, caller, name, version)
    keep_oneself(caller, name)
    _keep_an_admin(conn, account)
    if not users.disable_user(conn, name, now):
        raise _conflict("is shut out already", account, "disabled")
    tell(conn, caller, now, "user.disabled", name, role=account.role.value)
    return _find(conn, caller, name)


def enable_user(
    conn: Connection, caller: Caller, name: str, version: int | None, now: datetime
) -> Account:
    """Let somebody in again, with the password they had; old sessions stay ended."""
    account = find_to_change(conn, caller, name, version)
    if not users.enable_user(conn, name):
        raise _conflict("is not shut out", account, "enabled")
    tell(conn, caller, now, "user.enabled", name, role=account.role.value)
    return _find(conn, caller, name)


def set_password(
    conn: Connection, caller: Caller, name: str, request: PasswordRequest, now: datetime
) -> Account:
    """Another password; ends every session of its owner."""
    find_to_change(conn, caller, name, request.version)
    users.set_password(conn, name, request.password, now)
    tell(conn, caller, now, "user.password_set", name)
    return _find(conn, caller, name)


def set_role(
    conn: Connection, caller: Caller, name: str, request: RoleRequest, now: datetime
) -> Account:
    """Another role, another squad or other divisions; open pages and streams start anew with it."""
    role, squad = request.role, request.squad or None
    account = find_to_change(conn, caller, name, request.version)
    keep_oneself(caller, name)
    if role != Role.ADMIN:
        _keep_an_admin(conn, account)
    users.set_role(conn, name, role, squad, account.district, request.divisions)
    changed = _find(conn, caller, name)
    before: dict[str, Any] = {"role": account.role.value, "squad": account.squad}
    bounds = None
    if changed.divisions != account.divisions:
        before["divisions"], bounds = list(account.divisions), list(changed.divisions)
    tell(
        conn, caller, now, "user.role_changed", name, role=role, squad=squad, divisions=bounds,
        before=before,
    )  # fmt: skip
    return changed


def find_to_change(conn: Connection, caller: Caller, name: str, version: int | None) -> Account:
    """The account, locked; its administrators too, so that two changes come one by one."""
    check_administrator(caller)
    users.lock_admins(conn, caller.district)
    account = _find(conn, caller, name)
    if is_stale_version(version, account.version):
        raise _conflict("was changed meanwhile", account, "changed")
    return account


def _find(conn: Connection, caller: Caller, name: str) -> Account:
    account = users.lock_account(conn, caller.district, name)
    if account is None:
        raise NotFound("user", name)
    return account


def keep_oneself(caller: Caller, name: str) -> None:
    if caller.name == name:
        raise Conflict(
            "nobody shuts themselves out or gives their own role away; another administrator can",
            current={"name": name, "refused": "own_account"},
        )


def _keep_an_admin(conn: Connection, account: Account) -> None:
    if users.lock_admins(conn, account.district) == [account.name]:
        raise _conflict("is the last administrator", account, "last_admin")


def _conflict(problem: str, account: Account, refused: str) -> Conflict:
    return Conflict(
        f"user {account.name} {problem}",
        current={
            "name": account.name,
            "role": account.role.value,
            "squad": account.squad,
            "divisions": list(account.divisions),
            "disabled_at": account.disabled_at and account.disabled_at.isoformat(),
            "version": account.version,
            "refused": refused,
        },
    )
