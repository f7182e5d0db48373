"""MQTT in. The only place of ingest that speaks it; `paho` stays in here."""

from ingest.mqtt.lane import Lane, Piece
from ingest.mqtt.visit import end_session, examine_broker

__all__ = ["Lane", "Piece", "end_session", "examine_broker"]
