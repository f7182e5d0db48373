"""Home automation and its bridges: Zigbee2MQTT, Tasmota, Shelly, Home Assistant."""
