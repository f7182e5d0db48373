"""MQTT in. The only place of ingest that speaks it; `paho` stays in here."""

from ingest.mqtt.inbox import Inbox, client_id_of, gas_client_id_of, gather
from ingest.mqtt.restart_test import PLAIN, SHARED, Kept, RestartTest, try_restart
from ingest.mqtt.visit import end_session, end_sessions, examine_broker

__all__ = [
    "PLAIN",
    "SHARED",
    "Inbox",
    "Kept",
    "RestartTest",
    "client_id_of",
    "end_session",
    "end_sessions",
    "examine_broker",
    "gas_client_id_of",
    "gather",
    "try_restart",
]
