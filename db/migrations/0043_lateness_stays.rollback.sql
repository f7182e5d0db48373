DROP TRIGGER case_facts ON event;
DROP FUNCTION event_has_case_facts, note_case_facts, note_case_fact;
DROP TABLE case_fact, incident_merge;
DROP FUNCTION case_fact_is_append_only;
ALTER TABLE deadline DROP COLUMN carried_at;
ALTER TABLE assignment DROP COLUMN attempt;
