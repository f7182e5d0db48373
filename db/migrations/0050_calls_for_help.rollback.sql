DROP TABLE distress_call;
DROP FUNCTION distress_call_row_changed;
