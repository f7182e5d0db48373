ALTER TABLE squad
    ADD COLUMN lon double precision,
    ADD COLUMN lat double precision,
    ADD COLUMN position_at timestamptz;
UPDATE squad SET lon = newest.lon, lat = newest.lat, position_at = newest.at
FROM (SELECT DISTINCT ON (squad) * FROM squad_position ORDER BY squad, at DESC) AS newest
WHERE newest.squad = squad.code;
DROP TABLE squad_position;
