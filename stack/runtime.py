"""Run the three servers of a data folder for as long as a `with` block lasts."""

import fcntl
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from stack.account import server_account
from stack.errors import StackError
from stack.home import PRIVATE_FOLDER, provision, silent
from stack.life import Services
from stack.site import Site, load_passwords
from stack.tuning import machine_memory, tune

EDITION = "apache"
PASSWORDS = ("superuser", "postgres", "redis")


@dataclass(frozen=True)
class Endpoints:
    """Where clients reach the servers."""

    postgres: str
    mqtt: str
    redis: str
    edition: str


class RunningStack(Endpoints):
    """The addresses of a started stack, and in `services` the servers behind them."""

    services: Services

    def __init__(self, services: Services) -> None:
        super().__init__(
            postgres=services.address("postgres"),
            mqtt=services.address("mosquitto"),
            redis=services.address("redis"),
            edition=EDITION,
        )
        object.__setattr__(self, "services", services)


@contextmanager
def running(data_dir: Path, *, progress: Callable[[str], None] = silent) -> Iterator[RunningStack]:
    """Set up and start all three servers; stop them when the block is left.

    SIGTERM and SIGINT leave the block, unless the program handles them itself.
    """
    home = provision(progress)
    data_dir = data_dir.resolve()
    with _sole_use(data_dir), _signals_unwind():
        site = Site(
            home=home,
            data_dir=data_dir,
            account=server_account(PRIVATE_FOLDER.parent),
            tuning=tune(machine_memory(), os.cpu_count() or 1),
            passwords=load_passwords(data_dir / "passwords.json", PASSWORDS),
        )
        services = Services(site, progress)
        services.end_leftovers()
        try:
            services.start()
            yield RunningStack(services)
        finally:
            services.stop()


@contextmanager
def _sole_use(data_dir: Path) -> Iterator[None]:
    """Hold the data folder; a second start on the same one says who has it."""
    try:
        data_dir.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = (data_dir / "lock").open("a+")
    except PermissionError as error:
        raise StackError(
            f"{error.filename} belongs to another account; "
            "choose another folder with --data-dir, or start as the account that made it."
        ) from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            raise StackError(
                f"Gridwarden already runs on {data_dir} (process {lock.read().strip()}); "
                "stop it first, or choose another folder with --data-dir."
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        yield


@contextmanager
def _signals_unwind() -> Iterator[None]:
    """Turn SIGTERM into SystemExit, so that `finally` blocks run, and SIGINT into
    KeyboardInterrupt, also where a script's `&` has made us begin with SIGINT ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    wanted = {
        (signal.SIGTERM, signal.SIG_DFL): _leave,
        (signal.SIGINT, signal.SIG_IGN): signal.default_int_handler,
    }
    changed = {n: before for n, before in wanted if signal.getsignal(n) == before}
    for number, before in changed.items():
        signal.signal(number, wanted[number, before])
    try:
        yield
    finally:
        for number, before in changed.items():
            signal.signal(number, before)


def _leave(number: int, _frame: FrameType | None) -> None:
    raise SystemExit(128 + number)
