DROP TRIGGER session_ended ON session_end;
DROP TRIGGER api_token_changed ON api_token;
DROP TRIGGER app_user_changed ON app_user;
DROP FUNCTION count_access_change();
DROP TABLE access_change;
ALTER TABLE app_user DROP COLUMN version;
