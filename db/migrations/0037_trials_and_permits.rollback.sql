DROP TABLE work_permit_note, work_permit_device, work_permit, rule_trial;
DROP FUNCTION work_permit_row_changed;
