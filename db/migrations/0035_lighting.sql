-- Lamps under command, lighting programmes, and how the nights went.
-- depends: 0034_life_of_an_alarm

-- What somebody, or a programme, asked of a number of lamps. The event about it says the same.
CREATE TABLE lamp_order (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    target_kind text NOT NULL,
    target      text NOT NULL,                -- code of a lamp, cabinet or street; '' of a list
    level       smallint NOT NULL CHECK (level BETWEEN 0 AND 100),
    until       timestamptz,                  -- when the lamp goes back to its own programme
    programme   text NOT NULL DEFAULT '',     -- '' where a person asked
    step_at     timestamptz,                  -- of the programme
    actor       text NOT NULL,
    why         text NOT NULL,
    lamps       int NOT NULL,
    ordered_at  timestamptz NOT NULL
);
CREATE INDEX lamp_order_newest ON lamp_order (district, id DESC);
-- Each step of a programme is asked for once, whatever dies.
CREATE UNIQUE INDEX lamp_order_step ON lamp_order (district, target_kind, target, step_at)
    WHERE programme <> '';

-- One command to one lamp. Out of the log, like readings: events tell of many lamps at once.
CREATE TABLE lamp_command (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    order_id    bigint NOT NULL REFERENCES lamp_order,
    district    text NOT NULL,
    device_id   int NOT NULL REFERENCES device,
    token       uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,   -- the same at every sending
    level       smallint NOT NULL,
    state       text NOT NULL DEFAULT 'queued' CHECK (state IN
                    ('queued', 'sent', 'acknowledged', 'failed', 'timed_out', 'cancelled')),
    attempts    smallint NOT NULL DEFAULT 0,
    due_at      timestamptz,                  -- to be sent, or to be asked again; NULL when over
    queued_at   timestamptz NOT NULL,
    sent_at     timestamptz,                  -- first sending
    ended_at    timestamptz,
    code        text NOT NULL DEFAULT '',     -- of why it ended, and a fact of it, for screens
    fact        text NOT NULL DEFAULT '',
    detail      text NOT NULL DEFAULT ''      -- the same in words
);
CREATE UNIQUE INDEX lamp_command_open ON lamp_command (device_id)
    WHERE state IN ('queued', 'sent');
CREATE INDEX lamp_command_due ON lamp_command (due_at) WHERE state IN ('queued', 'sent');
CREATE INDEX lamp_command_order ON lamp_command (order_id);
CREATE INDEX lamp_command_newest ON lamp_command (device_id, id DESC);

-- What ingest heard of commands, until lighting has judged it.
CREATE TABLE lamp_answer (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id   int NOT NULL,
    token       text NOT NULL,
    ok          boolean NOT NULL,
    level       double precision,
    detail      text NOT NULL,
    received_at timestamptz NOT NULL
);

CREATE TABLE lamp_programme (
    district    text NOT NULL REFERENCES district,
    code        text NOT NULL,
    version     int NOT NULL,
    source      text NOT NULL,                -- TOML
    retired     boolean NOT NULL DEFAULT false,
    actor       text NOT NULL,
    why         text NOT NULL,
    valid_from  timestamptz NOT NULL,
    PRIMARY KEY (district, code, version)
);

CREATE TABLE lamp_assignment (
    district    text NOT NULL REFERENCES district,
    target_kind text NOT NULL CHECK (target_kind IN ('lamp', 'cabinet', 'street', 'district')),
    target      text NOT NULL,                -- '' of the district
    programme   text NOT NULL,
    actor       text NOT NULL,
    assigned_at timestamptz NOT NULL,
    PRIMARY KEY (district, target_kind, target)
);
CREATE TABLE lamp_step_due (                  -- the next step of each; rows come and go
    district    text NOT NULL,
    target_kind text NOT NULL,
    target      text NOT NULL,
    step_at     timestamptz NOT NULL,
    PRIMARY KEY (district, target_kind, target)
);
CREATE INDEX lamp_step_due_at ON lamp_step_due (step_at);

CREATE TABLE lit_night (                      -- computed from readings, and computable again
    district      text NOT NULL REFERENCES district,
    night         date NOT NULL,              -- on which it began
    street        text NOT NULL,              -- '' of lamps in none
    lamps         int NOT NULL,
    due           int NOT NULL,               -- checks at which a lamp should have been lit
    lit           int NOT NULL,
    dark          int NOT NULL,
    unknown       int NOT NULL,
    hours_due     double precision NOT NULL,
    hours_lost    double precision NOT NULL,
    hours_unknown double precision NOT NULL,
    computed_at   timestamptz NOT NULL,
    PRIMARY KEY (district, night, street),
    CHECK (due = lit + dark + unknown)
);

DO $$ BEGIN
    PERFORM log_rows_of('lamp_programme', '{district,code,version}', '{lamp_programme,code}');
    PERFORM log_rows_of('lamp_assignment', '{district,target_kind,target}',
                        '{lamp_programme,programme}');
END $$;
