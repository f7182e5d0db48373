-- What cases are found by: written behind the log, one row a case.
-- depends: 0038_a_city_of_its_own

CREATE TABLE incident_text (
    incident_id bigint PRIMARY KEY REFERENCES incident ON DELETE CASCADE,
    district    text NOT NULL,
    text        text NOT NULL,                -- folded: number, titles, description, notes, names
    sound       text NOT NULL,                -- pinyin of the Chinese in it
    initials    text NOT NULL,                -- first letters of the syllables
    grams       int[] NOT NULL                -- numbers of the pieces of all three
);
CREATE INDEX incident_text_grams ON incident_text USING gin (grams);
CREATE INDEX incident_text_newest ON incident_text (district, incident_id);

-- How far it has come: events up to `seq`, and of the cases from before those down to `below`.
CREATE TABLE incident_text_progress (
    one   boolean PRIMARY KEY DEFAULT true CHECK (one),
    seq   bigint NOT NULL,
    below bigint NOT NULL
);
INSERT INTO incident_text_progress (seq, below)
SELECT coalesce((SELECT seq FROM event_head), 0), coalesce((SELECT max(id) + 1 FROM incident), 0);
