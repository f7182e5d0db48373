"""PostgreSQL 17 with TimescaleDB (Apache edition)."""

import os
import signal
import subprocess
from pathlib import Path

from stack.errors import StackError
from stack.ports import LOOPBACK
from stack.site import Site
from stack.tuning import MAX_CONNECTIONS

DATABASE = "gridwarden"
ROLE = "gridwarden"

# The zone tables are not in the fetched packages: Debian's PostgreSQL reads the machine's own.
ZONE_TABLES = Path("/usr/share/zoneinfo/Asia/Shanghai")

OWN_FILE = "gridwarden.conf"

# The Apache edition has no policies and so no jobs; its per-database workers would only keep a
# connection open to every database and stop it from serving as a template.
CONFIGURATION = """\
# Written at every start; put your own settings into postgresql.conf, below the include.
listen_addresses = '{loopback}'
port = {port}
unix_socket_directories = ''
max_connections = {connections}
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 0

shared_buffers = {tuning.shared_buffers_mib}MB
effective_cache_size = {tuning.effective_cache_size_mib}MB
work_mem = {tuning.work_mem_mib}MB
maintenance_work_mem = {tuning.maintenance_work_mem_mib}MB
max_parallel_workers_per_gather = {tuning.parallel_workers}
jit = off                                # its compiler is not fetched; it slows short queries

synchronous_commit = on                  # what was acknowledged to the broker is on disk
wal_compression = lz4
min_wal_size = 256MB
max_wal_size = {tuning.max_wal_size_mib}MB
checkpoint_timeout = 15min
random_page_cost = 1.1                   # solid-state disks
effective_io_concurrency = 200
autovacuum_naptime = 15s                 # the latest-value table is updated all the time
client_connection_check_interval = 10s   # a query whose client is gone ends

timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %a %d '
log_lock_waits = on
log_min_duration_statement = 5s
"""

FIRST_START = """\
CREATE ROLE {role} LOGIN CREATEDB PASSWORD '{password}';
GRANT pg_monitor TO {role};
CREATE DATABASE {database} OWNER {role};
"""


class Postgres:
    """The database server."""

    name = "postgres"
    usual_port = 5432
    program = "postgres"
    stop_signal = signal.SIGINT  # fast shutdown: open transactions end, clients are sent away

    def mark(self, site: Site) -> Path:
        return site.folder(self.name)

    def prepare(self, site: Site, port: int, prefix: list[str]) -> None:
        if not ZONE_TABLES.is_file():
            raise StackError("This machine has no time-zone tables; type `apt-get install tzdata`.")
        folder = site.folder(self.name)
        if not (folder / "PG_VERSION").is_file():
            self._initialise(site, folder, prefix)
        site.make_folder(folder)
        text = CONFIGURATION.format(
            loopback=LOOPBACK, port=port, connections=MAX_CONNECTIONS, tuning=site.tuning
        )
        site.write(folder / OWN_FILE, text)

    def _initialise(self, site: Site, folder: Path, prefix: list[str]) -> None:
        """Make the cluster beside its place and move it in: a broken-off initdb leaves nothing."""
        work = site.make_folder(site.data_dir / "postgres.part")
        password_file = site.data_dir / "postgres.password"
        site.write(password_file, site.passwords["superuser"] + "\n")
        command = [
            *prefix,
            str(site.home.program("initdb")),
            f"--pgdata={work}",
            "--username=postgres",
            f"--pwfile={password_file}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
            "--text-search-config=simple",
        ]
        done = subprocess.run(command, cwd=work, capture_output=True, text=True, check=False)
        password_file.unlink()
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise StackError(f"The database could not be created in {folder}: {said[-1]}")
        with (work / "postgresql.conf").open("a") as file:
            file.write(f"\ninclude '{OWN_FILE}'\n")
        work.rename(folder)

    def command(self, site: Site) -> list[str]:
        return [str(site.home.program("postgres")), "-D", str(site.folder(self.name))]

    def is_ready(self, site: Site, port: int) -> bool:
        program = str(site.home.program("pg_isready"))
        probe = [program, "-q", "-h", LOOPBACK, "-p", str(port)]
        return subprocess.run(probe, check=False).returncode == 0

    def complete(self, site: Site, port: int) -> None:
        exists = f"SELECT 1 FROM pg_database WHERE datname = '{DATABASE}'"
        if not _psql(site, port, "postgres", exists):
            script = FIRST_START.format(
                role=ROLE, database=DATABASE, password=site.passwords["postgres"]
            )
            _psql(site, port, "postgres", script)
        _psql(site, port, DATABASE, "CREATE EXTENSION IF NOT EXISTS timescaledb")
        # Newer packages bring a newer extension; this must be the first word of a session.
        _psql(site, port, DATABASE, "ALTER EXTENSION timescaledb UPDATE")

    def address(self, site: Site, port: int) -> str:
        return f"postgresql://{ROLE}:{site.passwords['postgres']}@{LOOPBACK}:{port}/{DATABASE}"


def _psql(site: Site, port: int, database: str, script: str) -> str:
    """Run SQL as the superuser and give back what it printed."""
    command = [
        str(site.home.program("psql")),
        *("-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"),
        *("-h", LOOPBACK, "-p", str(port), "-U", "postgres", "-d", database),
    ]
    environment = {
        **os.environ,
        "PGPASSWORD": site.passwords["superuser"],
        "PGOPTIONS": "-c client_min_messages=warning",
    }
    done = subprocess.run(
        command, input=script, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise StackError(
            f"The database refused its set-up: {done.stderr.strip()}; its log is "
            f"{site.log_path('postgres')}."
        )
    return done.stdout.strip()
