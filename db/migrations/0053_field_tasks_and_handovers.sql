-- Who looks at a place before a case is filed and after it was handled, and what one shift leaves
-- to the next.
-- depends: 0052_intake

-- An attempt of the clock `verify` or `check` that was given to a collector; when it is due says
-- the clock.
CREATE TABLE field_task (
    incident_id bigint NOT NULL REFERENCES incident,
    clock       text NOT NULL CHECK (clock IN ('verify', 'check')),
    attempt     int NOT NULL,
    district    text NOT NULL REFERENCES district,
    collector   text NOT NULL,
    given_by    text NOT NULL,
    given_at    timestamptz NOT NULL,
    done_by     text,
    done_at     timestamptz,
    result      text,                         -- the action that ended it
    PRIMARY KEY (incident_id, clock, attempt)
);
CREATE INDEX field_task_open ON field_task (collector) WHERE done_at IS NULL;

-- A sheet says what stood when the outgoing shift signed it; the incoming one signs it after.
CREATE TABLE handover (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    since_at    timestamptz NOT NULL,         -- begin of the shift that it is about
    given_by    text NOT NULL,
    given_at    timestamptz NOT NULL,
    content     jsonb NOT NULL,
    taken_by    text CHECK (taken_by <> given_by),
    taken_at    timestamptz,
    version     int NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX handover_one_open ON handover (district) WHERE taken_at IS NULL;
CREATE INDEX handover_newest ON handover (district, id DESC);

CREATE TABLE handover_note (
    handover_id bigint NOT NULL REFERENCES handover,
    ordinal     int NOT NULL,
    said_by     text NOT NULL,
    said_at     timestamptz NOT NULL,
    said        text NOT NULL CHECK (said <> ''),
    PRIMARY KEY (handover_id, ordinal)
);

DO $$ BEGIN
    PERFORM log_rows_of('field_task', '{incident_id,clock,attempt}', '{incident,incident_id}');
    PERFORM log_rows_of('handover', '{id}', '{handover,id}');
    PERFORM log_rows_of('handover_note', '{handover_id,ordinal}', '{handover,handover_id}');
END $$;
