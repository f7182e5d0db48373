DROP TABLE alarm_inhibition;
DROP TABLE device_gateway;
DROP TABLE gateway;
