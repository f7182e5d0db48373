-- What one person asks for and another one lets happen, and who of a squad is on duty on which day.
-- depends: 0029_references_of_cases

CREATE TABLE approval (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    kind        text NOT NULL,
    what        text NOT NULL,
    change      jsonb NOT NULL,               -- what would be done
    before      jsonb NOT NULL,               -- what it was made on
    shown       jsonb NOT NULL,               -- what people are told of it
    digest      text NOT NULL,                -- of kind, change and before
    asked_by    text NOT NULL,
    asked_at    timestamptz NOT NULL,
    why         text NOT NULL CHECK (why <> ''),
    expires_at  timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'approved', 'refused', 'withdrawn', 'expired')),
    decided_by  text,
    decided_at  timestamptz,
    decided_why text NOT NULL DEFAULT '',
    CHECK ((state = 'waiting') = (decided_at IS NULL)),
    -- The rule itself, whatever the code above it says.
    CHECK (state <> 'approved' OR decided_by <> asked_by)
);
CREATE UNIQUE INDEX approval_waiting ON approval (district, digest) WHERE state = 'waiting';
CREATE INDEX approval_newest ON approval (district, id DESC);

-- `day` is a date, or days of the week like 1,2,3 with 1 for Monday. A squad without a row is on
-- duty by its weekly shifts.
CREATE TABLE squad_roster (
    squad       text NOT NULL REFERENCES squad,
    day         text NOT NULL CHECK (day ~ '^\d{4}-\d\d-\d\d$' OR day ~ '^[1-7](,[1-7])*$'),
    start_at    time NOT NULL,
    end_at      time NOT NULL,                -- not after start_at: on the next day
    person      text NOT NULL,
    phone       text NOT NULL DEFAULT '',
    PRIMARY KEY (squad, day, start_at)
);

-- What is approved can be long; the log has its digest.
DO $$ BEGIN
    PERFORM log_rows_of('approval', '{id}', '{approval,id}', '{change,before,shown}');
    PERFORM log_rows_of('squad_roster', '{squad,day,start_at}', '{roster,squad}');
END $$;

-- The history of rosters is found as that of the other settings is.
DROP INDEX event_settings;
CREATE INDEX event_settings ON event (split_part(subject, ':', 1), seq)
    WHERE rows IS NOT NULL AND split_part(subject, ':', 1) IN (
        'user', 'squad', 'category', 'stage_limit', 'division', 'rule', 'calendar', 'log',
        'roster');
