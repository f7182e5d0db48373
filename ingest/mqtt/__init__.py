"""MQTT in. The only place of ingest that speaks it; `paho` stays in here."""

from ingest.mqtt.counters import BrokerCounters
from ingest.mqtt.lane import NEVER, Lane, Piece
from ingest.mqtt.restart_test import PLAIN, SHARED, Kept, RestartTest, try_restart
from ingest.mqtt.visit import end_session, examine_broker

__all__ = [
    "NEVER",
    "PLAIN",
    "SHARED",
    "BrokerCounters",
    "Kept",
    "Lane",
    "Piece",
    "RestartTest",
    "end_session",
    "examine_broker",
    "try_restart",
]
