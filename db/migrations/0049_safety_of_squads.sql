-- Whoever works alone says "I am fine" every so many minutes; a call for help is a row until
-- somebody of the centre has acknowledged it.
-- depends: 0041_divisions_bound

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

CREATE TABLE distress_call (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    kind        text NOT NULL CHECK (kind IN ('duress', 'missed_check_in')),
    person      text NOT NULL,
    squad       text NOT NULL REFERENCES squad,
    incident_id bigint REFERENCES incident,
    check_in_id bigint REFERENCES check_in,
    acted_at    timestamptz NOT NULL,         -- when the button was held, or the minutes were over
    raised_at   timestamptz NOT NULL,
    heard_at    timestamptz,                  -- the person spoke again after a missed check-in
    lon         double precision,
    lat         double precision,
    acknowledged_by text,
    acknowledged_at timestamptz,
    note        text NOT NULL DEFAULT '',
    CHECK ((acknowledged_by IS NULL) = (acknowledged_at IS NULL))
);
CREATE INDEX distress_call_open ON distress_call (district, id) WHERE acknowledged_at IS NULL;
CREATE INDEX distress_call_newest ON distress_call (district, id DESC);

DO $$ BEGIN
    PERFORM log_rows_of('distress_call', '{id}', '{distress_call,id}');
END $$;
