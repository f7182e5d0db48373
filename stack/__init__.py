"""The embedded default: TimescaleDB, Mosquitto and Redis on this machine without Docker."""

from stack.errors import StackError
from stack.home import StackHome, provision
from stack.life import Services
from stack.ports import listen, read_ports, write_ports
from stack.runtime import Endpoints, RunningStack, running

__all__ = [
    "Endpoints",
    "RunningStack",
    "Services",
    "StackError",
    "StackHome",
    "listen",
    "provision",
    "read_ports",
    "running",
    "write_ports",
]
