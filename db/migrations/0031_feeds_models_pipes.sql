-- Feeds are rows, and so are a city's own device models and its gas pipes.
-- depends: 0030_four_eyes_and_rosters

-- Topics at the broker that are taken as one wire format.
CREATE TABLE feed (
    name        text PRIMARY KEY,
    format      text NOT NULL,                -- '' where each topic says it itself
    topic       text NOT NULL DEFAULT '',     -- a prefix or a filter; '' of a shipped feed: its format's own
    district    text NOT NULL DEFAULT '',     -- of its devices; '': of any
    interval_s  int CHECK (interval_s > 0),   -- expected to be heard so often
    enabled     boolean NOT NULL DEFAULT true,
    datum       text NOT NULL DEFAULT 'wgs84' CHECK (datum IN ('wgs84', 'cgcs2000', 'gcj02', 'bd09')),
    shipped     boolean NOT NULL DEFAULT false,
    retired_at  timestamptz                   -- taken out; what was queued for it is still read
);

-- Who speaks through which feed, where several feeds of one format have devices of one name: the
-- first levels of its topics. The first that is heard stays.
CREATE TABLE device_feed (
    device_id   int PRIMARY KEY REFERENCES device ON DELETE CASCADE,
    base        text NOT NULL
);
CREATE FUNCTION device_was_renamed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM device_feed WHERE device_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER device_renamed AFTER UPDATE OF external_id, format ON device FOR EACH ROW
    WHEN (OLD.external_id IS DISTINCT FROM NEW.external_id OR OLD.format <> NEW.format)
    EXECUTE FUNCTION device_was_renamed();

-- When a feed was heard last: noted every other second, no part of the books.
CREATE TABLE feed_heard (
    feed        text PRIMARY KEY,
    heard_at    timestamptz NOT NULL,
    messages    bigint NOT NULL
) WITH (fillfactor = 60);

-- A city's own device models, as their files say them.
CREATE TABLE device_model (
    name        text PRIMARY KEY,
    district    text NOT NULL,
    text        text NOT NULL,                -- TOML
    codec       text NOT NULL DEFAULT ''      -- JavaScript
);

-- Gas pipes: a section is a line of lon/lat in WGS-84.
CREATE TABLE pipe_section (
    district    text NOT NULL,
    code        text NOT NULL,
    pressure    text NOT NULL CHECK (pressure IN ('low', 'medium', 'sub_high', 'high')),
    material    text NOT NULL DEFAULT '',
    year        int,
    diameter_mm int,
    line        jsonb NOT NULL,               -- GeoJSON coordinates of a LineString
    PRIMARY KEY (district, code)
);

-- Counted up whenever what ingest reads from here changes: a parcel of messages says by which
-- count it was received, so that no worker reads it by an older one.
CREATE TABLE ingest_revision (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    revision    bigint NOT NULL
);
INSERT INTO ingest_revision (revision) VALUES (1);
CREATE FUNCTION ingest_was_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE ingest_revision SET revision = revision + 1;
    RETURN NULL;
END $$;
CREATE TRIGGER ingest_changed AFTER INSERT OR UPDATE OR DELETE ON feed
    FOR EACH STATEMENT EXECUTE FUNCTION ingest_was_changed();
CREATE TRIGGER ingest_changed AFTER INSERT OR UPDATE OR DELETE ON device_model
    FOR EACH STATEMENT EXECUTE FUNCTION ingest_was_changed();

DO $$ BEGIN
    PERFORM log_rows_of('feed', '{name}', '{feed,name}');
    PERFORM log_rows_of('device_model', '{name}', '{model,name}', '{text,codec}');
END $$;

DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster', 'feed');
