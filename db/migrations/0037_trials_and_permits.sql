-- Changes of rules that are tried on the past before they are put in force, and work permits.
-- depends: 0036_areas_and_video_review

-- A trial is work of a minute: whoever takes it beats, and one that beats no more is taken again.
CREATE TABLE rule_trial (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    change      jsonb NOT NULL,               -- {"put": {code: text}, "retire": [code]}
    made_on     jsonb NOT NULL,               -- versions of the rules concerned: {code: version}
    asked_by    text NOT NULL,
    asked_at    timestamptz NOT NULL,
    state       text NOT NULL DEFAULT 'waiting'
                CHECK (state IN ('waiting', 'running', 'done', 'cancelled', 'failed')),
    share       real NOT NULL DEFAULT 0,      -- of the work that is done, 0 to 1
    beat_at     timestamptz,
    attempts    int NOT NULL DEFAULT 0,
    result      jsonb,                        -- also what is known so far
    problem     text NOT NULL DEFAULT '',
    ended_at    timestamptz
);
CREATE INDEX rule_trial_open ON rule_trial (id) WHERE state IN ('waiting', 'running');

-- Who may open covers where, from when to when. The devices are those of the place when the permit
-- was made. `due_at` is when covers that are still open become alarms.
CREATE TABLE work_permit (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    code        text NOT NULL,
    who         text NOT NULL CHECK (who <> ''),
    why         text NOT NULL CHECK (why <> ''),
    place       jsonb NOT NULL,               -- {"devices": [code]}, {"lon", "lat", "radius_m"} ...
    from_at     timestamptz NOT NULL,
    until_at    timestamptz NOT NULL,
    made_by     text NOT NULL,
    made_at     timestamptz NOT NULL,
    ended_by    text,                         -- before its time
    ended_why   text NOT NULL DEFAULT '',
    due_at      timestamptz,
    version     int NOT NULL DEFAULT 1,
    UNIQUE (district, code),
    CHECK (until_at > from_at)
);
CREATE INDEX work_permit_due ON work_permit (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX work_permit_newest ON work_permit (district, id DESC);

CREATE TABLE work_permit_device (
    permit_id   bigint NOT NULL REFERENCES work_permit,
    device_id   int NOT NULL REFERENCES device,
    PRIMARY KEY (device_id, permit_id)
);
CREATE INDEX work_permit_device_of ON work_permit_device (permit_id);

-- What would have been an alarm: a cover that was open under a permit.
CREATE TABLE work_permit_note (
    permit_id   bigint NOT NULL REFERENCES work_permit,
    device_id   int NOT NULL REFERENCES device,
    condition   text NOT NULL,
    first_at    timestamptz NOT NULL,         -- when it was sensed first and last
    last_at     timestamptz NOT NULL,
    reason      jsonb NOT NULL,
    PRIMARY KEY (permit_id, condition)
);
CREATE INDEX work_permit_note_device ON work_permit_note (device_id);

DO $$ BEGIN
    PERFORM log_rows_of('work_permit', '{id}', '{permit,code}');
END $$;
