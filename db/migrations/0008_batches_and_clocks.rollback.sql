DROP TABLE clock_limit;
DROP TABLE stuck_limit;
DROP TABLE device_fault;
DROP TABLE device_clock;
ALTER TABLE ingest_batch ALTER COLUMN payload SET STORAGE EXTENDED;
