"""Redis: wake-ups, the live snapshot, sessions and rate limits; never the truth."""

import signal
import socket
from pathlib import Path

from stack.ports import LOOPBACK
from stack.site import Site

PROBE_SECONDS = 1.0

# A snapshot once a minute keeps people logged in over a restart; more durability would be wasted
# here. Full memory refuses writes instead of throwing sessions away, and a full disk does not stop
# Redis from serving.
CONFIGURATION = """\
# Written at every start.
bind {loopback}
port {port}
protected-mode yes
requirepass {password}
daemonize no
dir {folder}
set-proc-title no

save 60 1
appendonly no
stop-writes-on-bgsave-error no
maxmemory {maxmemory}mb
maxmemory-policy noeviction
loglevel warning
"""


class Redis:
    """The cache."""

    name = "redis"
    usual_port = 6379
    program = "redis-server"
    stop_signal = signal.SIGTERM  # saves a snapshot, then ends

    def mark(self, site: Site) -> Path:
        return site.folder(self.name) / "redis.conf"

    def prepare(self, site: Site, port: int, prefix: list[str]) -> None:
        folder = site.make_folder(site.folder(self.name))
        text = CONFIGURATION.format(
            loopback=LOOPBACK,
            port=port,
            password=site.passwords["redis"],
            folder=folder,
            maxmemory=site.tuning.redis_maxmemory_mib,
        )
        site.write(self.mark(site), text)

    def command(self, site: Site) -> list[str]:
        return [str(site.home.program("redis-server")), str(self.mark(site))]

    def is_ready(self, site: Site, port: int) -> bool:
        """Whether it answers PING; while it still loads its snapshot it answers an error."""
        question = f"AUTH {site.passwords['redis']}\r\nPING\r\n"
        try:
            with socket.create_connection((LOOPBACK, port), PROBE_SECONDS) as connection:
                connection.sendall(question.encode())
                answer = connection.recv(64)
                while answer.count(b"\r\n") < 2 and (more := connection.recv(64)):
                    answer += more
        except OSError:
            return False
        return answer.endswith(b"+PONG\r\n")

    def complete(self, site: Site, port: int) -> None:
        """Nothing: the configuration file says it all."""

    def address(self, site: Site, port: int) -> str:
        return f"redis://:{site.passwords['redis']}@{LOOPBACK}:{port}/0"
