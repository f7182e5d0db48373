-- Core tables, common to both TimescaleDB editions. Every row that belongs to a district says so.
-- depends:

CREATE EXTENSION IF NOT EXISTS timescaledb;

CREATE TABLE district (
    code        text PRIMARY KEY CHECK (code ~ '^[0-9]{6}$'),
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    outline     jsonb NOT NULL,               -- GeoJSON geometry, lon/lat
    timezone    text NOT NULL DEFAULT 'Asia/Shanghai'
);

CREATE TABLE division (
    code        text PRIMARY KEY,             -- official code: 6 county, 9 sub-district, 12 community
    district    text NOT NULL REFERENCES district,
    level       text NOT NULL CHECK (level IN ('district', 'street', 'community')),
    name        text NOT NULL,
    parent      text NOT NULL,
    source      text NOT NULL
);

CREATE TABLE duty_grid (
    code        text PRIMARY KEY,             -- one per community: the grid a squad answers for
    district    text NOT NULL REFERENCES district,
    name        text NOT NULL
);

CREATE TABLE unit_grid (
    code        text PRIMARY KEY CHECK (code ~ '^[0-9]{15}$'),
    district    text NOT NULL REFERENCES district,
    street      text NOT NULL REFERENCES division,
    community   text NOT NULL REFERENCES division,
    duty_grid   text NOT NULL REFERENCES duty_grid,
    grid_column int NOT NULL,
    grid_row    int NOT NULL,
    west double precision NOT NULL, south double precision NOT NULL,
    east double precision NOT NULL, north double precision NOT NULL,
    source      text NOT NULL DEFAULT '',     -- by which rule the cell got its community
    UNIQUE (district, grid_column, grid_row)
);
CREATE INDEX unit_grid_box ON unit_grid USING gist (box(point(west, south), point(east, north)));

CREATE TABLE metric (
    id          smallint PRIMARY KEY,
    name        text NOT NULL UNIQUE,
    unit        text NOT NULL
);

CREATE TABLE device (
    id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    code        text NOT NULL UNIQUE,
    district    text NOT NULL REFERENCES district,
    kind        text NOT NULL,                -- gas, manhole, light, camera
    model       text NOT NULL DEFAULT '',     -- name of a device model file, e.g. milesight-gs101
    format      text NOT NULL DEFAULT 'native',
    external_id text,                         -- identity inside its format: DevEUI (lower hex), serial, camera name
    name        text NOT NULL,
    lon         double precision NOT NULL,
    lat         double precision NOT NULL,
    unit_grid   text REFERENCES unit_grid,
    street      text REFERENCES division,
    community   text REFERENCES division,
    gas         text CHECK (gas IN ('methane', 'lpg', 'propane')),
    report_interval_s int NOT NULL DEFAULT 300 CHECK (report_interval_s > 0),
    attributes  jsonb NOT NULL DEFAULT '{}',  -- rated_power_w, cabinet, tilt_baseline_deg, water_limit_cm ...
    out_of_service_since timestamptz,
    return_due_at timestamptz,
    demo        boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL
);
CREATE UNIQUE INDEX device_external ON device (format, external_id) WHERE external_id IS NOT NULL;
CREATE INDEX device_kind ON device (district, kind);

-- Ingest keeps the registry in memory and reads it again when told.
CREATE FUNCTION device_was_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('device_changed', '');
    RETURN NULL;
END $$;
CREATE TRIGGER device_changed AFTER INSERT OR UPDATE OR DELETE ON device
    FOR EACH STATEMENT EXECUTE FUNCTION device_was_changed();

CREATE TABLE reading (
    ts          timestamptz NOT NULL,
    device_id   int NOT NULL,
    metric_id   smallint NOT NULL,
    value       double precision NOT NULL,
    received_at timestamptz NOT NULL,
    quality     smallint NOT NULL DEFAULT 0,
    raw_value   text,                         -- what was sent, where it differs from `value`
    raw_unit    text
);
DO $$ BEGIN
    PERFORM create_hypertable('reading', 'ts', chunk_time_interval => interval '1 day',
                              create_default_indexes => false);
END $$;
CREATE UNIQUE INDEX reading_once ON reading (device_id, metric_id, ts);
CREATE INDEX reading_ts ON reading USING brin (ts, received_at) WITH (autosummarize = on);

CREATE TABLE device_latest (
    device_id   int NOT NULL,
    metric_id   smallint NOT NULL,
    ts          timestamptz NOT NULL,
    value       double precision NOT NULL,
    received_at timestamptz NOT NULL,
    quality     smallint NOT NULL DEFAULT 0,
    PRIMARY KEY (device_id, metric_id)
) WITH (fillfactor = 60);                     -- room for in-page (HOT) updates

CREATE TABLE device_link (                    -- what status messages and Last Wills say
    device_id   int PRIMARY KEY REFERENCES device,
    online      boolean,
    reported_at timestamptz NOT NULL,
    attributes  jsonb NOT NULL DEFAULT '{}'
);

CREATE TABLE video_event (
    camera_id   int NOT NULL REFERENCES device,
    event_id    text NOT NULL,
    district    text NOT NULL,
    type        text NOT NULL,
    category    text,                         -- incident category code it maps to, if any
    phase       text NOT NULL CHECK (phase IN ('new', 'update', 'end')),
    start_at    timestamptz NOT NULL,
    end_at      timestamptz,
    end_due_at  timestamptz NOT NULL,         -- closed by time limit when no `end` comes
    confidence  double precision,
    bbox        jsonb,
    snapshot    text NOT NULL DEFAULT '',
    model       text NOT NULL DEFAULT '',
    model_version text NOT NULL DEFAULT '',
    attributes  jsonb NOT NULL DEFAULT '{}',
    received_at timestamptz NOT NULL,
    review      text NOT NULL DEFAULT 'pending' CHECK (review IN ('pending', 'confirmed', 'dismissed')),
    reviewed_by text,
    reviewed_at timestamptz,
    review_note text,
    PRIMARY KEY (camera_id, event_id)
);
CREATE INDEX video_event_pending ON video_event (start_at) WHERE review = 'pending';
CREATE INDEX video_event_open ON video_event (end_due_at) WHERE phase <> 'end';

-- One row a committed batch: hand-over to evaluation, and the batch's place in the ledger.
CREATE TABLE ingest_batch (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    worker      text NOT NULL,
    received_from timestamptz NOT NULL,
    received_to timestamptz NOT NULL,
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    received    int NOT NULL,                 -- messages
    stored      int NOT NULL,
    duplicate   int NOT NULL,
    rejected    int NOT NULL,
    readings_stored int NOT NULL,
    payload     bytea,                        -- the batch's new readings, packed; cleared once evaluated
    evaluated_at timestamptz,
    attempts    int NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT '-infinity',
    CHECK (received = stored + duplicate + rejected)
);
CREATE INDEX ingest_batch_waiting ON ingest_batch (id) WHERE evaluated_at IS NULL;

CREATE TABLE ingest_ledger (
    batch_id    bigint NOT NULL REFERENCES ingest_batch ON DELETE CASCADE,
    feed        text NOT NULL,                -- wire format
    minute      timestamptz NOT NULL,         -- of receipt
    received    int NOT NULL,
    stored      int NOT NULL,
    duplicate   int NOT NULL,
    rejected    int NOT NULL,
    without_values int NOT NULL DEFAULT 0,    -- part of `stored`: joins, acknowledgements, logs
    readings_stored int NOT NULL,
    readings_duplicate int NOT NULL DEFAULT 0,
    PRIMARY KEY (batch_id, feed, minute)
);
CREATE INDEX ingest_ledger_minute ON ingest_ledger (minute);

CREATE TABLE reject (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at timestamptz NOT NULL,
    format      text NOT NULL,
    topic       text NOT NULL,
    device      text NOT NULL DEFAULT '',
    reason      text NOT NULL,
    detail      text NOT NULL,
    raw         bytea NOT NULL,               -- cut at db.rejects.RAW_LIMIT bytes
    raw_size    int NOT NULL,
    whole_message boolean NOT NULL,           -- false: part of a message was refused, the rest stored
    replayed_at timestamptz
);
CREATE INDEX reject_received ON reject (received_at);

CREATE TABLE rule (
    code        text NOT NULL,
    version     int NOT NULL,
    source      text NOT NULL,                -- the TOML text that was applied
    definition  jsonb NOT NULL,
    valid_from  timestamptz NOT NULL,
    retired_at  timestamptz,
    applied_by  text NOT NULL,
    PRIMARY KEY (code, version)
);
CREATE UNIQUE INDEX rule_in_force ON rule (code) WHERE retired_at IS NULL;

-- A condition on its way in (on-delay) or out (off-delay) of an alarm: time lives in rows.
CREATE TABLE rule_timer (
    condition   text PRIMARY KEY,             -- rule code / device code / severity or "off"
    rule_code   text NOT NULL,
    device_id   int NOT NULL REFERENCES device,
    direction   text NOT NULL CHECK (direction IN ('on', 'off')),
    severity    smallint CHECK (severity BETWEEN 1 AND 4), -- level an on-delay leads to
    started_at  timestamptz NOT NULL,         -- time of the first reading that said so
    received_at timestamptz NOT NULL,         -- and when it was received
    due_at      timestamptz NOT NULL,
    reason      jsonb NOT NULL
);
CREATE INDEX rule_timer_due ON rule_timer (due_at);
CREATE INDEX rule_timer_device ON rule_timer (device_id);

CREATE TABLE alarm (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    condition   text NOT NULL,                -- what is wrong where; one live alarm per condition
    rule_code   text NOT NULL,
    rule_version int NOT NULL,
    category    text NOT NULL,                -- incident category
    device_id   int REFERENCES device,
    camera_event text,
    severity    smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    state       text NOT NULL CHECK (state IN ('unacknowledged', 'acknowledged', 'returned_unacknowledged', 'normal')),
    opens_incident boolean NOT NULL DEFAULT true,
    reason      jsonb NOT NULL,
    sensed_at   timestamptz NOT NULL,         -- time of the reading that raised it
    received_at timestamptz NOT NULL,
    raised_at   timestamptz NOT NULL,         -- time of the decision
    committed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    cleared_at  timestamptz,
    acknowledged_at timestamptz,
    acknowledged_by text,
    ended_at    timestamptz,                  -- state became normal
    shelved_until timestamptz,
    shelved_by  text,
    shelve_reason text,
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    unit_grid   text,
    demo        boolean NOT NULL DEFAULT false,
    version     int NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX alarm_one_live ON alarm (condition) WHERE state <> 'normal';
CREATE INDEX alarm_device ON alarm (device_id);
CREATE INDEX alarm_shelved ON alarm (shelved_until) WHERE shelved_until IS NOT NULL;
CREATE INDEX alarm_raised ON alarm (raised_at);

CREATE TABLE alarm_change (                   -- hand-over to dispatch
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    alarm_id    bigint NOT NULL REFERENCES alarm,
    kind        text NOT NULL,
    at          timestamptz NOT NULL,
    taken_at    timestamptz,
    attempts    int NOT NULL DEFAULT 0,
    not_before  timestamptz NOT NULL DEFAULT '-infinity'
);
CREATE INDEX alarm_change_waiting ON alarm_change (id) WHERE taken_at IS NULL;
CREATE INDEX alarm_change_order ON alarm_change (alarm_id, id) WHERE taken_at IS NULL;

CREATE TABLE incident_category (
    code        text NOT NULL,                -- code inside the code system, e.g. 05-02, 0111
    version     int NOT NULL,
    code_system text NOT NULL,
    class       text NOT NULL CHECK (class IN ('component', 'event')),
    family      text NOT NULL,                -- gas manhole light street waste parking drainage other
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    filing_condition_zh text NOT NULL,
    filing_condition_en text NOT NULL,
    handle_limit double precision NOT NULL,
    handle_unit text NOT NULL CHECK (handle_unit IN ('urgent_hour', 'work_hour', 'work_day', 'natural_day')),
    severity    smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    skill       text NOT NULL,                -- what a squad must be able to do
    closing_evidence text[] NOT NULL,         -- photo_after, check_photo, note, gas_release
    gas_free_minutes int NOT NULL DEFAULT 0,
    source      text NOT NULL,
    valid_from  date NOT NULL,
    valid_to    date,
    PRIMARY KEY (code, version)
);
CREATE UNIQUE INDEX category_in_force ON incident_category (code) WHERE valid_to IS NULL;

CREATE TABLE stage_limit (                    -- clocks that do not depend on the category
    clock       text NOT NULL,                -- verify file dispatch acknowledge check
    version     int NOT NULL,
    amount      double precision NOT NULL,
    unit        text NOT NULL,
    source      text NOT NULL,
    valid_from  date NOT NULL,
    valid_to    date,
    PRIMARY KEY (clock, version)
);

CREATE TABLE squad (
    code        text PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    name_zh     text NOT NULL,
    name_en     text NOT NULL,
    kind        text NOT NULL,
    skills      text[] NOT NULL,
    phone       text NOT NULL DEFAULT '',
    lon         double precision,
    lat         double precision,
    position_at timestamptz,
    active      boolean NOT NULL DEFAULT true,
    demo        boolean NOT NULL DEFAULT false,
    version     int NOT NULL DEFAULT 1
);
CREATE TABLE squad_shift (
    squad       text NOT NULL REFERENCES squad,
    weekdays    smallint[] NOT NULL,          -- ISO, 1 = Monday
    start_at    time NOT NULL,
    end_at      time NOT NULL,                -- not after start: runs past midnight
    PRIMARY KEY (squad, start_at)
);
CREATE TABLE squad_duty_grid (
    squad       text NOT NULL REFERENCES squad,
    duty_grid   text NOT NULL REFERENCES duty_grid,
    PRIMARY KEY (squad, duty_grid)
);

-- Last five digits of a case number. A sequence never waits for another transaction; numbers
-- of a transaction that was undone stay unused.
CREATE SEQUENCE incident_number MAXVALUE 99999 CYCLE;

CREATE TABLE incident (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number      text NOT NULL UNIQUE,         -- case number people quote
    district    text NOT NULL REFERENCES district,
    condition   text,                         -- of the alarm that opened it
    category    text NOT NULL,
    category_version int NOT NULL,
    source      text NOT NULL,
    state       text NOT NULL,
    resume_state text,                        -- where `suspended` goes back to
    severity    smallint NOT NULL CHECK (severity BETWEEN 1 AND 4),
    title_zh    text NOT NULL,
    title_en    text NOT NULL,
    description text NOT NULL DEFAULT '',
    lon double precision NOT NULL,
    lat double precision NOT NULL,
    unit_grid   text,
    street      text,
    community   text,
    device_id   int REFERENCES device,
    squad       text REFERENCES squad,
    handled_by  text,
    checked_by  text,
    released_by text,                         -- gas engineer's release
    released_at timestamptz,
    opened_at   timestamptz NOT NULL,
    filed_at    timestamptz,
    dispatched_at timestamptz,
    acknowledged_at timestamptz,
    arrived_at  timestamptz,
    handled_at  timestamptz,
    checking_at timestamptz,
    closed_at   timestamptz,
    outcome     text,                         -- of closing, rejecting, cancelling
    rework_count int NOT NULL DEFAULT 0,
    return_count int NOT NULL DEFAULT 0,
    postpone_count int NOT NULL DEFAULT 0,
    merged_into bigint REFERENCES incident,
    split_from  bigint REFERENCES incident,
    reported_by text NOT NULL,
    demo        boolean NOT NULL DEFAULT false,
    version     int NOT NULL DEFAULT 1
);
-- One alarm, one incident: guaranteed here, not in code.
CREATE UNIQUE INDEX incident_one_open ON incident (condition)
    WHERE condition IS NOT NULL AND state NOT IN ('closed', 'rejected', 'cancelled', 'merged');
CREATE INDEX incident_open ON incident (district, opened_at)
    WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged');
CREATE INDEX incident_squad ON incident (squad, state);
CREATE INDEX incident_opened ON incident (opened_at);
CREATE INDEX incident_closed ON incident (closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE incident_alarm (
    alarm_id    bigint PRIMARY KEY REFERENCES alarm,
    incident_id bigint NOT NULL REFERENCES incident
);
CREATE INDEX incident_alarm_incident ON incident_alarm (incident_id);

CREATE TABLE assignment (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident,
    squad       text NOT NULL REFERENCES squad,
    assigned_by text NOT NULL,
    assigned_at timestamptz NOT NULL,
    acknowledged_at timestamptz,
    arrived_at  timestamptz,
    ended_at    timestamptz,
    end_reason  text
);
CREATE UNIQUE INDEX assignment_one_live ON assignment (incident_id) WHERE ended_at IS NULL;

CREATE TABLE deadline (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL REFERENCES district,
    incident_id bigint NOT NULL REFERENCES incident,
    clock       text NOT NULL,
    attempt     int NOT NULL DEFAULT 1,       -- rework and return start a new one
    started_at  timestamptz NOT NULL,
    limit_amount double precision NOT NULL,
    limit_unit  text NOT NULL,
    calendar    text NOT NULL,
    calendar_version int NOT NULL,
    due_at      timestamptz NOT NULL,
    beyond_calendar boolean NOT NULL DEFAULT false,
    counted     jsonb NOT NULL,
    warn_at     timestamptz NOT NULL,         -- next moment that matters before it is due
    warned_at   timestamptz,
    overdue_at  timestamptz,                  -- when the system noticed and said so
    paused_at   timestamptz,
    met_at      timestamptz,
    stopped_at  timestamptz,                  -- no longer needed (returned, cancelled)
    escalated   text NOT NULL DEFAULT '' CHECK (escalated IN ('', 'yellow', 'red')),
    escalate_at timestamptz,                  -- when the next card falls due
    UNIQUE (incident_id, clock, attempt)
);
CREATE INDEX deadline_running ON deadline (incident_id, due_at)
    WHERE met_at IS NULL AND stopped_at IS NULL;
CREATE INDEX deadline_escalate ON deadline (escalate_at)
    WHERE met_at IS NULL AND stopped_at IS NULL AND paused_at IS NULL AND escalate_at IS NOT NULL;
CREATE INDEX deadline_warn ON deadline (warn_at)
    WHERE met_at IS NULL AND stopped_at IS NULL AND paused_at IS NULL AND warned_at IS NULL;
CREATE INDEX deadline_due ON deadline (due_at)
    WHERE met_at IS NULL AND stopped_at IS NULL AND paused_at IS NULL AND overdue_at IS NULL;

CREATE TABLE pause (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident,
    started_at  timestamptz NOT NULL,
    ended_at    timestamptz,
    resume_due_at timestamptz,                -- a suspension ends by itself
    reason      text NOT NULL,
    approved_by text NOT NULL
);
CREATE UNIQUE INDEX pause_one_live ON pause (incident_id) WHERE ended_at IS NULL;
CREATE INDEX pause_resume ON pause (resume_due_at) WHERE ended_at IS NULL;
CREATE INDEX pause_incident ON pause (incident_id);

CREATE TABLE evidence (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident,
    stage       text NOT NULL,                -- photo_before, photo_after, check_photo, document
    filename    text NOT NULL,
    media_type  text NOT NULL,
    size_bytes  int NOT NULL,
    sha256      bytea NOT NULL,
    content     bytea NOT NULL,
    taken_at    timestamptz,                  -- EXIF
    lon         double precision,
    lat         double precision,
    uploaded_by text NOT NULL,
    uploaded_at timestamptz NOT NULL,
    UNIQUE (incident_id, stage, sha256)
);
CREATE INDEX evidence_same_file ON evidence (sha256);

CREATE TABLE work_calendar (
    code        text NOT NULL,
    version     int NOT NULL,
    timezone    text NOT NULL,
    windows     jsonb NOT NULL,               -- [["08:00","12:00"],["14:00","18:00"]]
    known_until date NOT NULL,
    source      text NOT NULL,
    valid_from  timestamptz NOT NULL,
    PRIMARY KEY (code, version)
);
CREATE TABLE work_calendar_day (              -- only days that differ from Mon-Fri
    code        text NOT NULL,
    version     int NOT NULL,
    day         date NOT NULL,
    working     boolean NOT NULL,
    note        text NOT NULL DEFAULT '',
    PRIMARY KEY (code, version, day),
    FOREIGN KEY (code, version) REFERENCES work_calendar
);

CREATE TABLE app_user (
    name        text PRIMARY KEY,
    password_hash text NOT NULL,
    role        text NOT NULL,
    squad       text REFERENCES squad,
    district    text NOT NULL REFERENCES district,
    display_name text NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL,
    disabled_at timestamptz,
    sessions_from timestamptz                 -- sign-ins before this moment no longer count
);
CREATE TABLE session_end (                    -- signed-out sessions whose cookie may still be around
    sid         text PRIMARY KEY,
    name        text NOT NULL,
    ended_at    timestamptz NOT NULL
);
CREATE TABLE api_token (
    name        text PRIMARY KEY,
    role        text NOT NULL,
    squad       text REFERENCES squad,
    district    text NOT NULL REFERENCES district,
    token_sha256 bytea NOT NULL UNIQUE,
    created_at  timestamptz NOT NULL,
    revoked_at  timestamptz
);
CREATE TABLE idempotency (
    caller      text NOT NULL,
    key         text NOT NULL,
    request_sha256 bytea NOT NULL,
    status      int NOT NULL,
    body        jsonb NOT NULL,
    created_at  timestamptz NOT NULL,
    PRIMARY KEY (caller, key)
);

-- The append-only log. The head row is locked by every appender, so the sequence has no gaps
-- and its order is the commit order: a reader may follow it by cursor and misses nothing.
CREATE TABLE event (
    seq         bigint PRIMARY KEY,
    at          timestamptz NOT NULL,
    district    text NOT NULL,
    kind        text NOT NULL,
    subject     text NOT NULL,
    actor       text NOT NULL,
    payload     jsonb NOT NULL,
    prev_hash   bytea NOT NULL,
    hash        bytea NOT NULL
);
CREATE INDEX event_subject ON event (subject, seq);
CREATE INDEX event_at ON event (at);
CREATE TABLE event_head (
    singleton   boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    seq         bigint NOT NULL,
    hash        bytea NOT NULL
);
INSERT INTO event_head (seq, hash) VALUES (0, decode(repeat('00', 32), 'hex'));

CREATE FUNCTION event_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the event log is append-only';
END $$;
CREATE TRIGGER event_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON event
    FOR EACH STATEMENT EXECUTE FUNCTION event_is_append_only();

-- Minutes whose roll-up must be made (again); used by the Apache edition. Every batch adds rows of
-- its own: a shared row could be taken by a refresh that does not see the batch's readings yet.
CREATE TABLE rollup_due (
    minute      timestamptz NOT NULL
);
CREATE INDEX rollup_due_minute ON rollup_due (minute);

CREATE TABLE setting (
    district    text NOT NULL,
    key         text NOT NULL,
    value       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL,
    PRIMARY KEY (district, key)
);
