"""Where the embedded servers' programs lie."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stack.bundle import Bundle, provide

PRIVATE_FOLDER = Path(__file__).resolve().parents[1] / ".stack"

POSTGRES_BIN = "usr/lib/postgresql/17/bin"

PROGRAMS = {
    "initdb": f"{POSTGRES_BIN}/initdb",
    "pg_ctl": f"{POSTGRES_BIN}/pg_ctl",
    "pg_dump": f"{POSTGRES_BIN}/pg_dump",
    "pg_isready": f"{POSTGRES_BIN}/pg_isready",
    "pg_restore": f"{POSTGRES_BIN}/pg_restore",
    "postgres": f"{POSTGRES_BIN}/postgres",
    "psql": f"{POSTGRES_BIN}/psql",
    "mosquitto": "usr/sbin/mosquitto",
    "mosquitto_pub": "usr/bin/mosquitto_pub",
    "mosquitto_sub": "usr/bin/mosquitto_sub",
    # redis-server is a link to this one; linking it here serves both.
    "redis-check-rdb": "usr/bin/redis-check-rdb",
    "redis-cli": "usr/bin/redis-cli",
}

SERVERS = Bundle(
    name="servers",
    packages=("postgresql-17-timescaledb", "mosquitto", "mosquitto-clients", "redis-server"),
    programs=tuple(PROGRAMS.values()),
    # Named as dependencies, used by nothing that runs here: half of the download. LLVM serves
    # PostgreSQL's JIT compiler (switched off), the others serve installation scripts.
    unused=frozenset(
        """
        adduser base-passwd debconf gcc-14-base init-system-helpers libc-bin libc-l10n
        libdb5.3t64 libdebconfclient0 libgdbm-compat4t64 libgdbm6t64 libio-pty-perl
        libipc-run-perl libjson-perl libllvm19 libpam-modules libpam-modules-bin
        libpam-runtime libperl5.40 libproc2-0 libsasl2-modules-db libsemanage-common
        libsemanage2 libsepol2 libtext-charwidth-perl libtext-wrapi18n-perl libz3-4 locales
        login.defs netbase openssl openssl-provider-legacy passwd perl perl-base
        perl-modules-5.40 postgresql-common postgresql-common-dev postgresql-client-common
        procps readline-common sensible-utils ssl-cert sysvinit-utils tzdata ucf
        """.split()
    ),
)


@dataclass(frozen=True)
class StackHome:
    """The unpacked and linked programs of the three servers."""

    root: Path

    def program(self, name: str) -> Path:
        return self.root / ("usr/bin/redis-server" if name == "redis-server" else PROGRAMS[name])


def silent(_line: str) -> None:
    """Progress that nobody watches."""


def provision(progress: Callable[[str], None] = silent) -> StackHome:
    """Fetch and link the servers where that is not yet done; StackError says what is missing."""
    return StackHome(provide(SERVERS, PRIVATE_FOLDER, progress))
