"""LoRaWAN: network servers, the frames that they carry, and the codecs of the devices behind."""
