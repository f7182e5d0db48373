DROP TABLE zigbee_device;
DROP TABLE zigbee_bridge;
