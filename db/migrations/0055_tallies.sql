-- Who said a fact, more of what the log says, and tallies of the facts: sums by groups and blocks of
-- days, so that a period of years is a few rows.
-- depends: 0054_refused_gas

ALTER TABLE case_fact ADD actor text NOT NULL DEFAULT '';
ALTER TABLE case_fact DISABLE TRIGGER case_fact_append_only;
UPDATE case_fact f SET actor = e.actor FROM event e WHERE e.seq = f.seq;
ALTER TABLE case_fact ENABLE TRIGGER case_fact_append_only;

CREATE OR REPLACE FUNCTION note_case_fact(e event, fact text, happened timestamptz,
                               of_clock text DEFAULT '', of_attempt int DEFAULT NULL,
                               is_late boolean DEFAULT false, since timestamptz DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO case_fact (seq, kind, at, district, incident_id, squad, clock, attempt, late,
                           seconds, actor)
    VALUES (e.seq, fact, happened, e.district, split_part(e.subject, ':', 2)::bigint,
            coalesce(e.payload ->> 'squad', ''), of_clock, of_attempt, coalesce(is_late, false),
            extract(epoch FROM e.at - since), e.actor)
$$;

-- Kinds besides those of before:
--   postponed     the handling clock was given another limit
--   met_CLOCK     verify, file, dispatch, acknowledge or check was met; late: not by the due time
--   missed_CLOCK  one of them ran out; from then on it counts, whether or not it is ever met
CREATE FUNCTION note_case_clocks(e event) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    met jsonb;
    since timestamptz;
BEGIN
    IF e.kind = 'incident.postponed' THEN
        PERFORM note_case_fact(e, 'postponed', e.at);
    END IF;
    IF e.kind = 'incident.overdue'
       AND e.payload ->> 'clock' IN ('verify', 'file', 'dispatch', 'acknowledge', 'check') THEN
        -- Not before anybody could know, as for `ran_out`.
        SELECT max(at) INTO since FROM case_fact
        WHERE incident_id = split_part(e.subject, ':', 2)::bigint AND kind = 'reopened';
        PERFORM note_case_fact(
            e, 'missed_' || (e.payload ->> 'clock'),
            greatest((e.payload ->> 'due_at')::timestamptz,
                     (e.payload ->> 'carried_at')::timestamptz, since),
            e.payload ->> 'clock', (e.payload ->> 'attempt')::int, true);
    END IF;
    FOR met IN
        SELECT DISTINCT ON (c ->> 'clock') c
        FROM jsonb_array_elements(e.payload -> 'clocks' -> 'met') AS c
        WHERE c ->> 'clock' IN ('verify', 'file', 'dispatch', 'acknowledge', 'check')
    LOOP
        PERFORM note_case_fact(e, 'met_' || (met ->> 'clock'), e.at, met ->> 'clock',
                               (met ->> 'attempt')::int, (met ->> 'late')::boolean);
    END LOOP;
END $$;

CREATE FUNCTION event_has_case_clocks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_case_clocks(NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER case_facts_of_clocks AFTER INSERT ON event FOR EACH ROW
    WHEN (NEW.subject ~ '^incident:\d+$' AND (NEW.kind IN ('incident.postponed', 'incident.overdue')
          OR jsonb_typeof(NEW.payload -> 'clocks' -> 'met') = 'array'))
    EXECUTE FUNCTION event_has_case_clocks();

DO $$
DECLARE
    told event;
BEGIN
    FOR told IN
        SELECT * FROM event
        WHERE subject ~ '^incident:\d+$' AND (kind IN ('incident.postponed', 'incident.overdue')
              OR jsonb_typeof(payload -> 'clocks' -> 'met') = 'array')
        ORDER BY seq
    LOOP
        PERFORM note_case_clocks(told);
    END LOOP;
END $$;

-- Whose end no calendar knew is looked for each second, among all clocks of all years.
CREATE INDEX deadline_beyond ON deadline (incident_id)
    WHERE beyond_calendar AND met_at IS NULL AND stopped_at IS NULL AND paused_at IS NULL;

-- What is said here of any period is also in `case_fact`, and is made again from it when it is lost.
-- A block of level n has 4^n local days; `counts` are pairs of slot (2 bytes) and number (4 bytes).
CREATE TABLE tally_block (
    district    text NOT NULL,
    grouping    text NOT NULL,                -- db.tallies.GROUPINGS
    level       smallint NOT NULL,
    block       int NOT NULL,                 -- proleptic Gregorian ordinal of its days / 4^level
    key         text NOT NULL,
    counts      bytea NOT NULL,
    PRIMARY KEY (district, grouping, level, block, key)
);
ALTER TABLE tally_block ALTER counts SET STORAGE EXTERNAL;

-- What was counted on another day than that of the figure it changes.
CREATE TABLE tally_change (
    district    text NOT NULL,
    origin      timestamptz NOT NULL,
    effective   timestamptz NOT NULL CHECK (effective >= origin),
    sign        smallint NOT NULL,
    what        text NOT NULL,
    late        boolean NOT NULL,
    seconds     double precision,
    moved       boolean NOT NULL,             -- from one squad or person to the next
    squad       text NOT NULL,
    person      text NOT NULL,
    incident_id bigint NOT NULL
);
CREATE INDEX tally_change_span ON tally_change USING gist (tstzrange(origin, effective, '[]'));

-- Up to which event they are counted.
CREATE TABLE tally_cursor (seq bigint NOT NULL);
INSERT INTO tally_cursor VALUES (0);
