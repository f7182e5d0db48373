-- What ingest hands over belongs to one district: engines work side by side, one at a district.
-- depends: 0018_alarm_clearing

-- '': of any district, as before this column; the engine sorts such a row into its districts.
ALTER TABLE ingest_batch ADD COLUMN district text NOT NULL DEFAULT '';
CREATE INDEX ingest_batch_district ON ingest_batch (district, id) WHERE evaluated_at IS NULL;
