DROP TABLE message_seen;
DROP TABLE ingest_worker;
