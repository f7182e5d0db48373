-- Whether the sensor of an alarm reports that it is over: the off-delay of every rule that holds it
-- runs. Of an alarm whose levels are not known, that of its own rule.
-- depends: 0013_alarm_levels

CREATE FUNCTION alarm_is_clearing(of alarm) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM rule_timer t
        WHERE t.rule_code = of.rule_code AND t.device_id = of.device_id AND t.direction = 'off'
    ) AND NOT EXISTS (
        SELECT FROM jsonb_each(of.levels) AS held (code, steps)
        WHERE held.steps -> -1 -> 1 <> 'null'::jsonb AND NOT EXISTS (
            SELECT FROM rule_timer t
            WHERE t.rule_code = held.code AND t.device_id = of.device_id AND t.direction = 'off')
    )
$$;
