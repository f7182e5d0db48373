DROP TABLE recovery_code;
DROP TABLE second_factor;
ALTER TABLE app_user DROP COLUMN second_factor_at;
