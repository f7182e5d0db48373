DROP TABLE mqtt_outbox;
DROP TABLE sparkplug_metric;
DROP TABLE sparkplug_source;
DROP TABLE sparkplug_node;
