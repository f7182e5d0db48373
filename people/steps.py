"""The steps of this package, in one place for those who call them. Nothing else is public."""

from people.sessions import note_lock_out, sign_out
from people.tokens import create_token, revoke_token
from people.users import add_user, disable_user, enable_user, set_password, set_role

__all__ = [
    "add_user", "create_token", "disable_user", "enable_user", "note_lock_out", "revoke_token",
    "set_password", "set_role", "sign_out",
]  # fmt: skip
