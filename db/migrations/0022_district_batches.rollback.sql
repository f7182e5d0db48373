DROP INDEX ingest_batch_district;
ALTER TABLE ingest_batch DROP COLUMN district;
