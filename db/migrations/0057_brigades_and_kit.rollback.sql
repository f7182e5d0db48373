ALTER TABLE squad DROP COLUMN brigade_zh, DROP COLUMN brigade_en, DROP COLUMN kit;
