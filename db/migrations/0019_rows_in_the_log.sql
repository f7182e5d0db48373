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
    key         text NOT NULL,                -- values of the key, to know the row by
    body        jsonb NOT NULL                -- one element of event.rows
) WITH (autovacuum_vacuum_threshold = 500, autovacuum_vacuum_scale_factor = 0,
        autovacuum_vacuum_insert_threshold = -1, autovacuum_analyze_threshold = 5000);

-- The SQL that sets one row of a table aside: `which` is NEW or OLD, `then` what it is afterwards.
-- `about` is a kind of subject and the column that names the subject.
CREATE FUNCTION sql_to_put_aside(of regclass, keys text[], about text[], which text, afterwards text)
RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format(
        'INSERT INTO event_row_waiting (txid, district, subject, name, key, body) VALUES ('
        'pg_current_xact_id()::text::bigint, %s, %L || %s.%I, %L, concat_ws(''/'', %s), '
        'jsonb_build_object(''table'', %L, ''key'', jsonb_build_object(%s), ''row'', %s));',
        CASE WHEN EXISTS (SELECT FROM pg_attribute WHERE attrelid = of AND attname = 'district')
             THEN format('coalesce(%s.district, %L)', which, '') ELSE quote_literal('') END,
        about[1] || ':', which, about[2], of,
        (SELECT string_agg(format('%s.%I', which, k), ', ' ORDER BY k) FROM unnest(keys) AS k), of,
        (SELECT string_agg(format('%L, %s.%I', k, which, k), ', ') FROM unnest(keys) AS k),
        afterwards)
$$;

-- Log the rows of a table from now on. `hidden` are columns that stay in it: they are secrets. A
-- trigger function of its own: one for all tables takes three times as long. `noted` is a
-- condition on NEW under which a row is nobody's setting.
CREATE FUNCTION log_rows_of(of regclass, keys text[], about text[], hidden text[] DEFAULT '{}',
                            noted text DEFAULT 'false')
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    afterwards text := CASE WHEN hidden = '{}' THEN 'to_jsonb(NEW)'
                            ELSE format('to_jsonb(NEW) - %L::text[]', hidden) END;
    gone text := sql_to_put_aside(of, keys, about, 'OLD', 'NULL::jsonb');
    same_key text := (SELECT string_agg(format('OLD.%1$I = NEW.%1$I', k), ' AND ')
                      FROM unnest(keys) AS k);
BEGIN
    EXECUTE format($make$
        CREATE FUNCTION %1$I() RETURNS trigger LANGUAGE plpgsql SET timezone TO 'UTC' AS $body$
        BEGIN
            IF TG_OP = 'DELETE' THEN
                %2$s
                RETURN NULL;
            END IF;
            IF %6$s THEN
                RETURN NULL;
            END IF;
            IF TG_OP = 'UPDATE' THEN
                IF OLD IS NOT DISTINCT FROM NEW THEN
                    RETURN NULL;
                END IF;
                IF NOT (%3$s) THEN
                    %2$s
                END IF;
            END IF;
            %4$s
            RETURN NULL;
        END $body$;
        CREATE TRIGGER row_changed AFTER INSERT OR UPDATE OR DELETE ON %5$s
            FOR EACH ROW EXECUTE FUNCTION %1$I();
        $make$,
        of || '_row_changed', gone, same_key, sql_to_put_aside(of, keys, about, 'NEW', afterwards),
        of, noted);
END $$;

DO $$ BEGIN
    PERFORM log_rows_of('division', '{code}', '{division,code}');
    PERFORM log_rows_of('incident_category', '{code,version}', '{category,code}');
    PERFORM log_rows_of('stage_limit', '{clock,version}', '{stage_limit,clock}');
    PERFORM log_rows_of('work_calendar', '{code,version}', '{calendar,code}');
    PERFORM log_rows_of('work_calendar_day', '{code,version,day}', '{calendar,code}');
    PERFORM log_rows_of('rule', '{code,version}', '{rule,code}');
    PERFORM log_rows_of('squad', '{code}', '{squad,code}');
    PERFORM log_rows_of('squad_shift', '{squad,start_at}', '{squad,squad}');
    PERFORM log_rows_of('squad_duty_grid', '{squad,duty_grid}', '{squad,squad}');
    PERFORM log_rows_of('device', '{id}', '{device,code}');
    PERFORM log_rows_of('alarm', '{id}', '{alarm,id}');
    PERFORM log_rows_of('incident', '{id}', '{incident,id}');
    PERFORM log_rows_of('incident_alarm', '{alarm_id}', '{incident,incident_id}');
    PERFORM log_rows_of('deadline', '{incident_id,id}', '{incident,incident_id}');
    PERFORM log_rows_of('pause', '{incident_id,id}', '{incident,incident_id}');
    PERFORM log_rows_of('assignment', '{incident_id,id}', '{incident,incident_id}');
    PERFORM log_rows_of('app_user', '{name}', '{user,name}', '{password_hash}');
    PERFORM log_rows_of('api_token', '{name}', '{token,name}', '{token_sha256}');
    -- What the ticker and the retention note for themselves is no setting of anybody.
    PERFORM log_rows_of('setting', '{district,key}', '{setting,key}', '{}',
                        $not$NEW.key IN ('alerts.ticker', 'ledger.kept_since')$not$);
END $$;

-- The same for a row that has not changed.
CREATE FUNCTION put_row_aside(name text, about text[], keys text[], found jsonb, began boolean)
RETURNS void LANGUAGE sql AS $$
    INSERT INTO event_row_waiting (txid, began, district, subject, name, key, body)
    SELECT CASE WHEN began THEN 0 ELSE pg_current_xact_id()::text::bigint END, began,
           coalesce(found ->> 'district', ''), about[1] || ':' || (found ->> about[2]), name,
           (SELECT string_agg(found ->> k, '/' ORDER BY k) FROM unnest(keys) AS k),
           jsonb_build_object(
               'table', name,
               'key', (SELECT jsonb_object_agg(k, found -> k) FROM unnest(keys) AS k),
               'row', found)
$$;

-- Whoever reads the log forgets what belongs to a case that is over or to an alarm that has ended;
-- where one comes back, all of it comes back.
CREATE FUNCTION put_case_aside(opened bigint, began boolean) RETURNS void
LANGUAGE sql SET timezone TO 'UTC' AS $$
    SELECT put_row_aside('deadline', '{incident,incident_id}', '{incident_id,id}',
                         to_jsonb(t), began) FROM deadline t WHERE incident_id = opened ORDER BY id;
    SELECT put_row_aside('pause', '{incident,incident_id}', '{incident_id,id}',
                         to_jsonb(t), began) FROM pause t WHERE incident_id = opened ORDER BY id;
    SELECT put_row_aside('assignment', '{incident,incident_id}', '{incident_id,id}',
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
    PERFORM put_row_aside('incident_alarm', '{incident,incident_id}', '{alarm_id}',
                          to_jsonb(t), false) FROM incident_alarm t WHERE alarm_id = NEW.id;
    RETURN NULL;
END $$;
CREATE TRIGGER row_returned AFTER UPDATE ON alarm FOR EACH ROW
    WHEN (OLD.state = 'normal' AND NEW.state <> 'normal') EXECUTE FUNCTION alarm_came_back();

-- What an existing installation has at this moment, whatever something else refers to first.
CREATE FUNCTION put_everything_aside() RETURNS void LANGUAGE plpgsql SET timezone TO 'UTC' AS $$
BEGIN
    PERFORM put_row_aside('division', '{division,code}', '{code}', to_jsonb(t), true)
        FROM division t;
    PERFORM put_row_aside('incident_category', '{category,code}', '{code,version}',
                          to_jsonb(t), true) FROM incident_category t;
    PERFORM put_row_aside('stage_limit', '{stage_limit,clock}', '{clock,version}',
                          to_jsonb(t), true) FROM stage_limit t;
    PERFORM put_row_aside('work_calendar', '{calendar,code}', '{code,version}',
                          to_jsonb(t), true) FROM work_calendar t;
    PERFORM put_row_aside('work_calendar_day', '{calendar,code}', '{code,version,day}',
                          to_jsonb(t), true) FROM work_calendar_day t;
    PERFORM put_row_aside('rule', '{rule,code}', '{code,version}', to_jsonb(t), true)
        FROM rule t;
    PERFORM put_row_aside('squad', '{squad,code}', '{code}',
                          to_jsonb(t) - '{lon,lat,position_at}'::text[], true) FROM squad t;
    PERFORM put_row_aside('squad_shift', '{squad,squad}', '{squad,start_at}',
                          to_jsonb(t), true) FROM squad_shift t;
    PERFORM put_row_aside('squad_duty_grid', '{squad,squad}', '{squad,duty_grid}',
                          to_jsonb(t), true) FROM squad_duty_grid t;
    PERFORM put_row_aside('device', '{device,code}', '{id}', to_jsonb(t), true)
        FROM device t;
    PERFORM put_row_aside('alarm', '{alarm,id}', '{id}', to_jsonb(t), true)
        FROM alarm t WHERE state <> 'normal';
    PERFORM put_row_aside('incident', '{incident,id}', '{id}', to_jsonb(t), true)
        FROM incident t
        WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged')
           OR opened_at > now() - interval '3 days' OR closed_at > now() - interval '3 days';
    PERFORM put_row_aside('incident_alarm', '{incident,incident_id}', '{alarm_id}',
                          to_jsonb(t), true)
        FROM incident_alarm t JOIN alarm ON alarm.id = t.alarm_id WHERE alarm.state <> 'normal';
    PERFORM put_case_aside(id, true) FROM incident
        WHERE state NOT IN ('closed', 'rejected', 'cancelled', 'merged');
    PERFORM put_row_aside('app_user', '{user,name}', '{name}',
                          to_jsonb(t) - 'password_hash', true) FROM app_user t;
    PERFORM put_row_aside('api_token', '{token,name}', '{name}',
                          to_jsonb(t) - 'token_sha256', true) FROM api_token t;
    PERFORM put_row_aside('setting', '{setting,key}', '{district,key}', to_jsonb(t), true)
        FROM setting t WHERE key NOT IN ('alerts.ticker', 'ledger.kept_since');
END $$;
DO $$ BEGIN
    PERFORM put_everything_aside();
END $$;
DROP FUNCTION put_everything_aside();
