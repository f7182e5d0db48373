-- An event carries what changed in full. Triggers put every row after its change aside; whoever
-- appends events next takes them into the log (`db.events`), so that nothing stays out of it that
-- was changed by hand either.
-- depends: 0018_alarm_clearing

ALTER TABLE event ADD COLUMN rows jsonb;      -- [{"key", "row", "table"}]; "row" null: deleted

CREATE TABLE event_row_waiting (
    id          bigint GENERATED ALWAYS AS IDENTITY,
    txid        bigint NOT NULL,              -- the transaction that changed it
    began       boolean NOT NULL DEFAULT false, -- not a change: what was there when the log began
    district    text NOT NULL,                -- '' where the row says none
    subject     text NOT NULL,                -- of the event that it belongs to
    name        text NOT NULL,
    key         jsonb NOT NULL,
    body        jsonb NOT NULL                -- one element of event.rows
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 5000);

CREATE FUNCTION put_row_aside(name text, about text[], keys text[], before jsonb, after jsonb,
                              began boolean)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    known jsonb := coalesce(after, before);
    key jsonb;
BEGIN
    SELECT jsonb_object_agg(k, known -> k) INTO key FROM unnest(keys) AS k;
    INSERT INTO event_row_waiting (txid, began, district, subject, name, key, body)
    VALUES (CASE WHEN began THEN 0 ELSE pg_current_xact_id()::text::bigint END, began,
            coalesce(known ->> 'district', ''), about[1] || ':' || (known ->> about[2]), name,
            key, jsonb_build_object('table', name, 'key', key, 'row', after));
END $$;

-- Arguments: key columns; what it is about and the column that says which one; columns that stay
-- in their table, because they are secrets.
CREATE FUNCTION row_was_changed() RETURNS trigger LANGUAGE plpgsql SET timezone TO 'UTC' AS $$
DECLARE
    keys text[] := string_to_array(TG_ARGV[0], ' ');
    about text[] := string_to_array(TG_ARGV[1], ' ');
    hidden text[] := string_to_array(TG_ARGV[2], ' ');
    before jsonb;
    after jsonb;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        before := to_jsonb(OLD) - hidden;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        after := to_jsonb(NEW) - hidden;
    END IF;
    IF before = after THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' AND EXISTS (
        SELECT FROM unnest(keys) AS k WHERE before -> k IS DISTINCT FROM after -> k
    ) THEN
        PERFORM put_row_aside(TG_TABLE_NAME, about, keys, before, NULL, false);
    END IF;
    PERFORM put_row_aside(TG_TABLE_NAME, about, keys, before, after, false);
    RETURN NULL;
END $$;

CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON division
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('code', 'division code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON incident_category
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('code version', 'category code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON stage_limit
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('clock version', 'stage_limit clock', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON work_calendar
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('code version', 'calendar code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON work_calendar_day
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('code version day', 'calendar code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON rule
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('code version', 'rule code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON squad
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('code', 'squad code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON squad_shift
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('squad start_at', 'squad squad', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON squad_duty_grid
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('squad duty_grid', 'squad squad', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON device
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('id', 'device code', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON alarm
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('id', 'alarm id', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON incident
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('id', 'incident id', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON incident_alarm
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('alarm_id', 'incident incident_id', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON deadline
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('incident_id id', 'incident incident_id', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON pause
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('incident_id id', 'incident incident_id', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON assignment
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('incident_id id', 'incident incident_id', '');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON app_user
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('name', 'user name', 'password_hash');
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON api_token
    FOR EACH ROW EXECUTE FUNCTION row_was_changed('name', 'token name', 'token_sha256');
-- What the ticker and the retention note for themselves is no setting of anybody.
CREATE TRIGGER row_changed AFTER INSERT OR UPDATE ON setting
    FOR EACH ROW WHEN (NEW.key NOT IN ('alerts.ticker', 'ledger.kept_since'))
    EXECUTE FUNCTION row_was_changed('district key', 'setting key', '');
CREATE TRIGGER row_deleted AFTER DELETE ON setting
    FOR EACH ROW WHEN (OLD.key NOT IN ('alerts.ticker', 'ledger.kept_since'))
    EXECUTE FUNCTION row_was_changed('district key', 'setting key', '');

-- Whoever reads the log forgets what belongs to a case that is over or to an alarm that has ended;
-- where one comes back, all of it comes back.
CREATE FUNCTION put_case_aside(opened bigint, began boolean) RETURNS void
LANGUAGE sql SET timezone TO 'UTC' AS $$
    SELECT put_row_aside('deadline', '{incident,incident_id}', '{incident_id,id}', NULL,
                         to_jsonb(t), began) FROM deadline t WHERE incident_id = opened ORDER BY id;
    SELECT put_row_aside('pause', '{incident,incident_id}', '{incident_id,id}', NULL,
                         to_jsonb(t), began) FROM pause t WHERE incident_id = opened ORDER BY id;
    SELECT put_row_aside('assignment', '{incident,incident_id}', '{incident_id,id}', NULL,
                         to_jsonb(t), began) FROM assignment t WHERE incident_id = opened ORDER BY id;
$$;
CREATE FUNCTION incident_was_reopened() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM put_case_aside(NEW.id, false);
    RETURN NULL;
END $$;
CREATE TRIGGER row_reopened AFTER UPDATE ON incident FOR EACH ROW
    WHEN (OLD.state IN ('closed', 'rejected', 'cancelled', 'merged')
          AND NEW.state NOT IN ('closed', 'rejected', 'cancelled', 'merged'))
    EXECUTE FUNCTION incident_was_reopened();
CREATE FUNCTION alarm_came_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM put_row_aside('incident_alarm', '{incident,incident_id}', '{alarm_id}', NULL,
                          to_jsonb(t), false) FROM incident_alarm t WHERE alarm_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER row_returned AFTER UPDATE ON alarm FOR EACH ROW
    WHEN (OLD.state = 'normal' AND NEW.state <> 'normal') EXECUTE FUNCTION alarm_came_back();

-- What an existing installation has at this moment, whatever something else refers to first.
CREATE FUNCTION put_everything_aside() RETURNS void LANGUAGE plpgsql SET timezone TO 'UTC' AS $$
BEGIN
    PERFORM put_row_aside('division', '{division,code}', '{code}', NULL, to_jsonb(t), true)
        FROM division t;
    PERFORM put_row_aside('incident_category', '{category,code}', '{code,version}', NULL,
                          to_jsonb(t), true) FROM incident_category t;
    PERFORM put_row_aside('stage_limit', '{stage_limit,clock}', '{clock,version}', NULL,
                          to_jsonb(t), true) FROM stage_limit t;
    PERFORM put_row_aside('work_calendar', '{calendar,code}', '{code,version}', NULL,
                          to_jsonb(t), true) FROM work_calendar t;
    PERFORM put_row_aside('work_calendar_day', '{calendar,code}', '{code,version,day}', NULL,
                          to_jsonb(t), true) FROM work_calendar_day t;
    PERFORM put_row_aside('rule', '{rule,code}', '{code,version}', NULL, to_jsonb(t), true)
        FROM rule t;
    PERFORM put_row_aside('squad', '{squad,code}', '{code}', NULL,
                          to_jsonb(t) - '{lon,lat,position_at}'::text[], true) FROM squad t;
    PERFORM put_row_aside('squad_shift', '{squad,squad}', '{squad,start_at}', NULL,
                          to_jsonb(t), true) FROM squad_shift t;
    PERFORM put_row_aside('squad_duty_grid', '{squad,squad}', '{squad,duty_grid}', NULL,
                          to_jsonb(t), true) FROM squad_duty_grid t;
    PERFORM put_row_aside('device', '{device,code}', '{id}', NULL, to_jsonb(t), true)
        FROM device t;
    PERFORM put_row_aside('alarm', '{alarm,id}', '{id}', NULL, to_jsonb(t), true)
        FROM alarm t WHERE state <> 'normal';
    PERFORM put_row_aside('incident', '{incident,id}', '{id}', NULL, to_jsonb(t), true)
        FROM incident t
        WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
           OR opened_at > now() - interval '3 days' OR closed_at > now() - interval '3 days';
    PERFORM put_row_aside('incident_alarm', '{incident,incident_id}', '{alarm_id}', NULL,
                          to_jsonb(t), true)
        FROM incident_alarm t JOIN alarm ON alarm.id = t.alarm_id WHERE alarm.state <> 'normal';
    PERFORM put_case_aside(id, true) FROM incident
        WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged');
    PERFORM put_row_aside('app_user', '{user,name}', '{name}', NULL,
                          to_jsonb(t) - 'password_hash', true) FROM app_user t;
    PERFORM put_row_aside('api_token', '{token,name}', '{name}', NULL,
                          to_jsonb(t) - 'token_sha256', true) FROM api_token t;
    PERFORM put_row_aside('setting', '{setting,key}', '{district,key}', NULL, to_jsonb(t), true)
        FROM setting t WHERE key NOT IN ('alerts.ticker', 'ledger.kept_since');
END $$;
DO $$ BEGIN
    PERFORM put_everything_aside();
END $$;
DROP FUNCTION put_everything_aside();
