DROP FUNCTION alarm_is_clearing(alarm);
