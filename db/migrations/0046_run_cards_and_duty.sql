-- Run cards: who goes, by which plan, with which checklist; and what people answered. Certificates of
-- people, and what changes of their duties.
-- depends: 0045_devices_over_time

-- Every version stays: a case goes by the one that was in force when it opened.
CREATE TABLE run_card (
    district    text NOT NULL REFERENCES district,
    code        text NOT NULL,
    version     int NOT NULL,
    text        text NOT NULL,                -- TOML, as its file says it
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz,
    PRIMARY KEY (district, code, version)
);
CREATE UNIQUE INDEX run_card_in_force ON run_card (district, code) WHERE valid_to IS NULL;

-- Every answer stays; of a step the newest one counts.
CREATE TABLE checklist_answer (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident ON DELETE CASCADE,
    card        text NOT NULL,
    version     int NOT NULL,
    step        text NOT NULL,
    measured    jsonb NOT NULL DEFAULT '{}',  -- by metric
    passed      boolean NOT NULL,
    note        text NOT NULL DEFAULT '',
    answered_by text NOT NULL,
    answered_at timestamptz NOT NULL
);
CREATE INDEX checklist_answer_incident ON checklist_answer (incident_id, id);

-- What a person may do, and until which day.
CREATE TABLE certificate (
    person      text NOT NULL,
    skill       text NOT NULL,
    number      text NOT NULL DEFAULT '',
    valid_until date NOT NULL,
    PRIMARY KEY (person, skill)
);

DO $$ BEGIN
    PERFORM log_rows_of('run_card', '{district,code,version}', '{run_card,code}');
    PERFORM log_rows_of('checklist_answer', '{id}', '{incident,incident_id}');
    PERFORM log_rows_of('certificate', '{person,skill}', '{certificate,person}');
END $$;
