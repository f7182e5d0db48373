ALTER TABLE evidence DROP COLUMN shown;
