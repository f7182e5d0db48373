DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT tgname, tgrelid::regclass AS relation FROM pg_trigger
        WHERE tgname IN ('row_changed', 'row_deleted', 'row_reopened', 'row_returned')
    LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', found.tgname, found.relation);
    END LOOP;
END $$;
DROP FUNCTION alarm_came_back();
DROP FUNCTION incident_was_reopened();
DROP FUNCTION put_case_aside(bigint, boolean);
DROP FUNCTION row_was_changed();
DROP FUNCTION put_row_aside(text, text[], text[], jsonb, jsonb, boolean);
DROP TABLE event_row_waiting;
ALTER TABLE event DROP COLUMN rows;
