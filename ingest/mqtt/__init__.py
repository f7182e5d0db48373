"""MQTT in. The only place of ingest that speaks it; `paho` stays in here."""

from ingest.mqtt.counters import BrokerCounters
from ingest.mqtt.inbox import Inbox, client_id_of, gas_client_id_of, gather
from ingest.mqtt.visit import end_session, end_sessions, examine_broker

__all__ = [
    "BrokerCounters",
    "Inbox",
    "client_id_of",
    "end_session",
    "end_sessions",
    "examine_broker",
    "gas_client_id_of",
    "gather",
]
