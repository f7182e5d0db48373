DROP TABLE tally_block, tally_change, tally_cursor;
DROP INDEX deadline_beyond;
DROP TRIGGER case_facts_of_clocks ON event;
DROP FUNCTION event_has_case_clocks();
DROP FUNCTION note_case_clocks(event);
ALTER TABLE case_fact DISABLE TRIGGER case_fact_append_only;
DELETE FROM case_fact WHERE kind = 'postponed' OR kind LIKE 'met\_%';
ALTER TABLE case_fact ENABLE TRIGGER case_fact_append_only;
CREATE OR REPLACE FUNCTION note_case_fact(e event, fact text, happened timestamptz,
                               of_clock text DEFAULT '', of_attempt int DEFAULT NULL,
                               is_late boolean DEFAULT false, since timestamptz DEFAULT NULL)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO case_fact (seq, kind, at, district, incident_id, squad, clock, attempt, late,
                           seconds)
    VALUES (e.seq, fact, happened, e.district, split_part(e.subject, ':', 2)::bigint,
            coalesce(e.payload ->> 'squad', ''), of_clock, of_attempt, coalesce(is_late, false),
            extract(epoch FROM e.at - since))
$$;
ALTER TABLE case_fact DROP actor;
