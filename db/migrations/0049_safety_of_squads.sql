-- Whoever works alone says "I am fine" every so many minutes.
-- depends: 0046_run_cards_and_duty

CREATE TABLE check_in (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    person      text NOT NULL,
    squad       text NOT NULL REFERENCES squad,
    incident_id bigint REFERENCES incident,
    every_minutes int NOT NULL CHECK (every_minutes BETWEEN 1 AND 240),
    started_at  timestamptz NOT NULL,
    heard_at    timestamptz NOT NULL,         -- when the person last said "I am fine"
    due_at      timestamptz,                  -- NULL: missed and told, or ended
    lon         double precision,
    lat         double precision,
    ended_at    timestamptz
);
CREATE UNIQUE INDEX check_in_one_live ON check_in (district, person) WHERE ended_at IS NULL;
CREATE INDEX check_in_due ON check_in (due_at) WHERE due_at IS NOT NULL;
