-- Where squads are is a stream beside the log, not a row that is written over.
-- depends: 0019_rows_in_the_log

CREATE TABLE squad_position (
    squad       text NOT NULL REFERENCES squad ON DELETE CASCADE,
    at          timestamptz NOT NULL,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    PRIMARY KEY (squad, at)                   -- the newest of a squad is the end of its index
);
INSERT INTO squad_position (squad, at, lon, lat)
SELECT code, coalesce(position_at, '2000-01-01Z'), lon, lat FROM squad
WHERE lon IS NOT NULL AND lat IS NOT NULL;
ALTER TABLE squad DROP COLUMN lon, DROP COLUMN lat, DROP COLUMN position_at;
