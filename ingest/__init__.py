"""MQTT in, readings stored."""
