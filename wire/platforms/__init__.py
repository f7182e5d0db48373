"""IoT platforms that cities run: their own topics and envelopes."""
