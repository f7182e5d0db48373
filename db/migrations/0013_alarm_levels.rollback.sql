DROP TABLE device_return;
ALTER TABLE alarm DROP COLUMN levels, DROP COLUMN announced_at, DROP COLUMN shelved_severity;
