"""The embedded servers, in the order in which they start."""

from stack.servers.base import Server
from stack.servers.mosquitto import Mosquitto
from stack.servers.postgres import Postgres
from stack.servers.redis import Redis

SERVERS: dict[str, Server] = {server.name: server for server in (Postgres(), Redis(), Mosquitto())}
