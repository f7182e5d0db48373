-- Whose attempt a clock is, merges that can be taken back, and what the event log says of cases as
-- facts that never change, from which the key figures are counted.
-- depends: 0042_areas_and_late_pictures

-- The attempt of the handling clock that this squad was sent on.
ALTER TABLE assignment ADD attempt int;
UPDATE assignment a SET attempt = d.attempt
FROM deadline d
WHERE d.incident_id = a.incident_id AND d.clock = 'handle' AND d.started_at = a.assigned_at;

-- Since when a clock is that of a case that was merged into its own.
ALTER TABLE deadline ADD carried_at timestamptz;

CREATE TABLE incident_merge (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    incident_id bigint NOT NULL REFERENCES incident,
    into_id     bigint NOT NULL REFERENCES incident,
    merged_at   timestamptz NOT NULL,
    stopped     bigint[] NOT NULL,            -- clocks of the merged incident
    alarms      bigint[] NOT NULL,            -- that went over
    kept        jsonb NOT NULL,               -- clocks of the other one as they were
    severity    int NOT NULL,                 -- of the other one as it was
    undone_at   timestamptz
);
CREATE UNIQUE INDEX incident_merge_standing ON incident_merge (incident_id)
    WHERE undone_at IS NULL;

-- One thing that the log says of a case. Facts are added and never changed.
--   alarmed       the first alarm of the case was raised
--   opened, filed
--   sent          a squad, on this attempt; seconds since the alarm, where it is the first squad
--   acknowledged, arrived   seconds since the squad was sent, since it acknowledged
--   handled       seconds since the squad was sent; late: not by the due time
--   ran_out       the handling or checking clock of this attempt
--   excused       it ran out by the clock of another case only, and that merge was taken back
--   returned      the squad gave the case back; late: its clock had run out
--   reworked      the squad has to do it again
--   closed        seconds since it was opened; late: a handling or checking clock of it ran out
--   ended         cancelled, rejected or merged
--   reopened      also: a merge was taken back
CREATE TABLE case_fact (
    seq         bigint NOT NULL,              -- of the event
    kind        text NOT NULL,
    at          timestamptz NOT NULL,         -- of a clock: when it ran out
    district    text NOT NULL,
    incident_id bigint NOT NULL,
    squad       text NOT NULL DEFAULT '',
    clock       text NOT NULL DEFAULT '',
    attempt     int,
    late        boolean NOT NULL DEFAULT false,
    seconds     double precision,
    PRIMARY KEY (seq, kind)
);
CREATE INDEX case_fact_period ON case_fact (district, at);
CREATE INDEX case_fact_case ON case_fact (incident_id, kind);

CREATE FUNCTION note_case_fact(e event, fact text, happened timestamptz,
                               of_clock text DEFAULT '', of_attempt int DEFAULT NULL,
                               is_late boolean DEFAULT false, since timestamptz DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO case_fact (seq, kind, at, district, incident_id, squad, clock, attempt, late,
                           seconds)
    VALUES (e.seq, fact, happened, e.district, split_part(e.subject, ':', 2)::bigint,
            coalesce(e.payload ->> 'squad', ''), of_clock, of_attempt, coalesce(is_late, false),
            extract(epoch FROM e.at - since))
$$;

CREATE FUNCTION note_case_facts(e event) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    of_case bigint := split_part(e.subject, ':', 2)::bigint;
    number int;
    is_late boolean;
    since timestamptz;
BEGIN
    CASE e.kind
    WHEN 'incident.opened' THEN
        PERFORM note_case_fact(e, 'opened', e.at);
        IF e.payload ->> 'to' = 'filed' THEN
            PERFORM note_case_fact(e, 'filed', e.at);
        END IF;
        IF e.payload ? 'alarm' THEN
            PERFORM note_case_fact(
                e, 'alarmed', coalesce((e.payload ->> 'raised_at')::timestamptz, e.at));
        END IF;
    WHEN 'incident.alarm_joined' THEN
        IF NOT EXISTS (SELECT FROM case_fact WHERE incident_id = of_case AND kind = 'alarmed') THEN
            PERFORM note_case_fact(
                e, 'alarmed', coalesce((e.payload ->> 'changed_at')::timestamptz, e.at));
        END IF;
    WHEN 'incident.filed' THEN
        PERFORM note_case_fact(e, 'filed', e.at);
    WHEN 'incident.dispatched', 'incident.reworked' THEN
        SELECT (c ->> 'attempt')::int INTO number
        FROM jsonb_array_elements(e.payload -> 'clocks' -> 'started') AS c
        WHERE c ->> 'clock' = 'handle';
        IF e.kind = 'incident.reworked' THEN
            PERFORM note_case_fact(e, 'reworked', e.at, 'handle', number - 1);
        ELSIF NOT EXISTS (SELECT FROM case_fact WHERE incident_id = of_case AND kind = 'sent') THEN
            SELECT min(at) INTO since FROM case_fact
            WHERE incident_id = of_case AND kind = 'alarmed';
        END IF;
        PERFORM note_case_fact(e, 'sent', e.at, 'handle', number, false, since);
    WHEN 'incident.acknowledged', 'incident.arrived', 'incident.handled' THEN
        SELECT max(at), max(attempt) INTO since, number FROM case_fact
        WHERE incident_id = of_case AND kind = 'sent';
        IF e.kind = 'incident.arrived' THEN
            SELECT max(at) INTO since FROM case_fact
            WHERE incident_id = of_case AND kind = 'acknowledged';
        ELSIF e.kind = 'incident.handled' THEN
            SELECT (c ->> 'late')::boolean INTO is_late
            FROM jsonb_array_elements(e.payload -> 'clocks' -> 'met') AS c
            WHERE c ->> 'clock' = 'handle';
        END IF;
        PERFORM note_case_fact(
            e, split_part(e.kind, '.', 2), e.at, 'handle', number, is_late, since);
    WHEN 'incident.overdue' THEN
        IF e.payload ->> 'clock' IN ('handle', 'check') THEN
            -- Not before anybody could know: a merge, or its undoing, is of its own time.
            SELECT max(at) INTO since FROM case_fact
            WHERE incident_id = of_case AND kind = 'reopened';
            PERFORM note_case_fact(
                e, 'ran_out',
                greatest((e.payload ->> 'due_at')::timestamptz,
                         (e.payload ->> 'carried_at')::timestamptz, since),
                e.payload ->> 'clock', (e.payload ->> 'attempt')::int, true);
        END IF;
    WHEN 'incident.separated' THEN
        SELECT (c ->> 'attempt')::int INTO number
        FROM jsonb_array_elements(e.payload -> 'clocks' -> 'put_back') AS c
        WHERE c ->> 'clock' = 'handle' AND (c ->> 'excused')::boolean;
        IF FOUND THEN
            PERFORM note_case_fact(e, 'excused', e.at, 'handle', number);
        END IF;
    WHEN 'incident.returned' THEN
        IF e.payload ->> 'role' <> 'system' THEN
            SELECT (c ->> 'attempt')::int INTO number
            FROM jsonb_array_elements(e.payload -> 'clocks' -> 'stopped') AS c
            WHERE c ->> 'clock' = 'handle';
            PERFORM note_case_fact(
                e, 'returned', e.at, 'handle', number,
                EXISTS (SELECT FROM case_fact WHERE incident_id = of_case AND kind = 'ran_out'
                        AND clock = 'handle' AND attempt = number));
        END IF;
    WHEN 'incident.closed' THEN
        SELECT min(at) INTO since FROM case_fact WHERE incident_id = of_case AND kind = 'opened';
        PERFORM note_case_fact(
            e, 'closed', e.at, '', NULL,
            EXISTS (SELECT FROM case_fact ran WHERE ran.incident_id = of_case
                    AND ran.kind = 'ran_out' AND NOT EXISTS (
                        SELECT FROM case_fact WHERE incident_id = of_case AND kind = 'excused'
                        AND clock = ran.clock AND attempt = ran.attempt)),
            since);
    WHEN 'incident.rejected', 'incident.cancelled', 'incident.merged' THEN
        PERFORM note_case_fact(e, 'ended', e.at);
    WHEN 'incident.reopened', 'incident.unmerged' THEN
        PERFORM note_case_fact(e, 'reopened', e.at);
    END CASE;
END $$;

CREATE FUNCTION event_has_case_facts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM note_case_facts(NEW);
    RETURN NULL;
END $$;
CREATE TRIGGER case_facts AFTER INSERT ON event FOR EACH ROW
    WHEN (NEW.subject ~ '^incident:\d+$' AND NEW.kind IN (
        'incident.opened', 'incident.alarm_joined', 'incident.filed', 'incident.dispatched',
        'incident.reworked', 'incident.acknowledged', 'incident.arrived', 'incident.handled',
        'incident.overdue', 'incident.separated', 'incident.returned', 'incident.closed',
        'incident.rejected', 'incident.cancelled', 'incident.merged', 'incident.reopened',
        'incident.unmerged'))
    EXECUTE FUNCTION event_has_case_facts();

-- What the log says so far.
DO $$
DECLARE
    told event;
BEGIN
    FOR told IN
        SELECT * FROM event
        WHERE subject ~ '^incident:\d+$' AND kind IN (
            'incident.opened', 'incident.alarm_joined', 'incident.filed', 'incident.dispatched',
            'incident.reworked', 'incident.acknowledged', 'incident.arrived', 'incident.handled',
            'incident.overdue', 'incident.returned', 'incident.closed', 'incident.rejected',
            'incident.cancelled', 'incident.merged', 'incident.reopened')
        ORDER BY seq
    LOOP
        PERFORM note_case_facts(told);
    END LOOP;
END $$;

CREATE FUNCTION case_fact_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what the log says of cases does not change';
END $$;
CREATE TRIGGER case_fact_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON case_fact
    FOR EACH STATEMENT EXECUTE FUNCTION case_fact_is_append_only();
