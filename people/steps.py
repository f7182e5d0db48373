"""The steps of this package, in one place for those who call them. Nothing else is public."""

from people.second_factor import (
    check_second_factor,
    offer_second_factor,
    remove_second_factor,
    renew_recovery_codes,
    reset_second_factor,
    set_second_factor,
)
from people.sessions import note_lock_out, sign_in, sign_out
from people.tokens import create_token, revoke_token
from people.users import add_user, disable_user, enable_user, set_password, set_role

__all__ = [
    "add_user", "check_second_factor", "create_token", "disable_user", "enable_user",
    "note_lock_out", "offer_second_factor", "remove_second_factor", "renew_recovery_codes",
    "reset_second_factor", "revoke_token", "set_password", "set_role", "set_second_factor",
    "sign_in",
    "sign_out",
]  # fmt: skip
