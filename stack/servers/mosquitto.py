"""Mosquitto 2, the MQTT broker."""

import signal
import socket
from pathlib import Path

from stack.ports import LOOPBACK
from stack.site import Site
from stack.tuning import MIB

PROBE_SECONDS = 1.0

# A queued message of 90 bytes takes 430 of memory, measured; the bound in bytes counts payloads.
QUEUED_MESSAGE_BYTES = 512
# Under way to one client: without a bound in bytes, 10,000 messages of any size.
INFLIGHT_MIB = 64
# Larger ones are thrown away by the broker, and paho hangs up when told so in MQTT 5: what an
# honest sender may send must reach us, to be rejected by name.
MESSAGE_MIB = 16

# Loopback only, hence without passwords. Mosquitto's own default keeps 1,000 messages for a
# client that is away and drops the rest without a word: here the bound is memory, as numbers that
# are never 0: a limit of 0 messages cuts every sender off whose message is refused.
# QoS 0 is queued too, because most sensors publish with it and a restart of the ingest process
# must not cost readings. A client that stays away for two weeks is forgotten, or its queue would
# stay for ever. Saving every second is every two in truth (docs/decisions/0020).
CONFIGURATION = """\
# Written at every start.
listener {port} {loopback}
allow_anonymous true
set_tcp_nodelay true

persistence true
persistence_location {folder}/
autosave_interval 1
persistent_client_expiration 14d

max_queued_messages {queue_messages}
max_queued_bytes {queue_bytes}
max_inflight_messages 10000
max_inflight_bytes {inflight_bytes}
queue_qos0_messages true
message_size_limit {message_bytes}

log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages false
log_timestamp_format %Y-%m-%dT%H:%M:%S
"""


class Mosquitto:
    """The MQTT broker."""

    name = "mosquitto"
    usual_port = 1883
    program = "mosquitto"
    stop_signal = signal.SIGTERM  # saves its queues and sessions, then ends

    def mark(self, site: Site) -> Path:
        return site.folder(self.name) / "mosquitto.conf"

    def prepare(self, site: Site, port: int, prefix: list[str]) -> None:
        folder = site.make_folder(site.folder(self.name))
        text = CONFIGURATION.format(
            port=port,
            loopback=LOOPBACK,
            folder=folder,
            queue_bytes=site.tuning.mqtt_queue_mib * MIB,
            queue_messages=site.tuning.mqtt_queue_mib * MIB // QUEUED_MESSAGE_BYTES,
            inflight_bytes=INFLIGHT_MIB * MIB,
            message_bytes=MESSAGE_MIB * MIB,
        )
        site.write(self.mark(site), text)

    def command(self, site: Site) -> list[str]:
        return [str(site.home.program("mosquitto")), "-c", str(self.mark(site))]

    def is_ready(self, site: Site, port: int) -> bool:
        try:
            socket.create_connection((LOOPBACK, port), PROBE_SECONDS).close()
        except OSError:
            return False
        return True

    def complete(self, site: Site, port: int) -> None:
        """Nothing: the configuration file says it all."""

    def address(self, site: Site, port: int) -> str:
        return f"mqtt://{LOOPBACK}:{port}"
