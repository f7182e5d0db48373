DROP TABLE division_outline;
DROP FUNCTION lies_within(text, text, text, text[]);
ALTER TABLE api_token DROP COLUMN divisions;
ALTER TABLE app_user DROP COLUMN divisions;
