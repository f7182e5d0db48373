DO $$
DECLARE
    found record;
BEGIN
    FOR found IN
        SELECT DISTINCT tgrelid::regclass AS relation, tgname FROM pg_trigger
        WHERE tgname IN ('row_changed', 'row_reopened', 'row_returned')
    LOOP
        EXECUTE format('DROP TRIGGER IF EXISTS %I ON %s', found.tgname, found.relation);
        EXECUTE format('DROP FUNCTION IF EXISTS %I() CASCADE', found.relation || '_row_changed');
    END LOOP;
END $$;
DROP FUNCTION alarm_came_back();
DROP FUNCTION incident_was_reopened();
DROP FUNCTION put_case_aside(bigint, boolean);
DROP FUNCTION put_row_aside(text, text[], text[], jsonb, boolean);
DROP FUNCTION log_rows_of(regclass, text[], text[], text[], text);
DROP FUNCTION sql_to_put_aside(regclass, text[], text[], text, text);
DROP TABLE event_row_waiting;
ALTER TABLE event DROP COLUMN rows;
