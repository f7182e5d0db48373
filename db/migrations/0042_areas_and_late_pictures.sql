-- Which areas a device stands in, kept true by whatever changes a device or an area; and pictures
-- that come when the case of their event is open already.
-- depends: 0051_device_place

CREATE TABLE device_area (
    device_id   int NOT NULL REFERENCES device ON DELETE CASCADE,
    district    text NOT NULL,
    area        text NOT NULL,
    PRIMARY KEY (device_id, area),
    FOREIGN KEY (district, area) REFERENCES area ON DELETE CASCADE
);
CREATE INDEX device_area_of ON device_area (district, area);

-- The same answer as Area.covers in city/area.py: a circle by great-circle distance, rings by how
-- many of them a place lies in.
CREATE FUNCTION list_devices_in_areas(of_district text, of_areas text[], of_devices int[])
RETURNS TABLE (device_id int, area text) LANGUAGE sql STABLE AS $$
    WITH ring AS MATERIALIZED (
        SELECT a.code, (
            SELECT ('(' || string_agg(format('(%s,%s)', point ->> 0, point ->> 1), ','
                                      ORDER BY number) || ')')::polygon
            FROM jsonb_array_elements(points) WITH ORDINALITY AS corner (point, number)
        ) AS shape
        FROM area a, jsonb_array_elements(
            CASE WHEN a.geometry ->> 'type' = 'Polygon' THEN a.geometry -> 'coordinates'
                 ELSE '[]' END) AS part (points)
        WHERE a.district = of_district AND (of_areas IS NULL OR a.code = ANY(of_areas))
    ), circle AS MATERIALIZED (
        SELECT a.code, a.radius_m, (a.geometry #>> '{coordinates,0}')::float8 AS lon,
               (a.geometry #>> '{coordinates,1}')::float8 AS lat
        FROM area a
        WHERE a.district = of_district AND a.geometry ->> 'type' = 'Point'
          AND (of_areas IS NULL OR a.code = ANY(of_areas))
    ), mine AS (
        SELECT id, lon, lat FROM device
        WHERE district = of_district AND (of_devices IS NULL OR id = ANY(of_devices))
    )
    SELECT mine.id, ring.code FROM mine JOIN ring ON ring.shape @> point(mine.lon, mine.lat)
    GROUP BY mine.id, ring.code HAVING count(*) % 2 = 1
    UNION ALL
    SELECT mine.id, circle.code FROM mine JOIN circle
      ON 2 * 6371008.8 * asin(least(1.0, sqrt(
             power(sin(radians(mine.lat - circle.lat) / 2), 2)
             + cos(radians(circle.lat)) * cos(radians(mine.lat))
               * power(sin(radians(mine.lon - circle.lon) / 2), 2)))) <= circle.radius_m
$$;

CREATE FUNCTION devices_are_placed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO device_area (device_id, district, area)
    SELECT found.device_id, here.district, found.area
    FROM (SELECT district, array_agg(id) AS ids FROM changed GROUP BY district) AS here,
         list_devices_in_areas(here.district, NULL, here.ids) AS found;
    RETURN NULL;
END $$;
CREATE TRIGGER devices_are_placed AFTER INSERT ON device
    REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION devices_are_placed();

CREATE FUNCTION device_has_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM device_area WHERE device_id = NEW.id;
    INSERT INTO device_area (device_id, district, area)
    SELECT device_id, NEW.district, area
    FROM list_devices_in_areas(NEW.district, NULL, ARRAY[NEW.id]);
    RETURN NULL;
END $$;
CREATE TRIGGER device_has_moved AFTER UPDATE OF district, lon, lat ON device FOR EACH ROW
    WHEN ((OLD.district, OLD.lon, OLD.lat) IS DISTINCT FROM (NEW.district, NEW.lon, NEW.lat))
    EXECUTE FUNCTION device_has_moved();

CREATE FUNCTION area_has_changed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM device_area WHERE district = NEW.district AND area = NEW.code;
    INSERT INTO device_area (device_id, district, area)
    SELECT device_id, NEW.district, area
    FROM list_devices_in_areas(NEW.district, ARRAY[NEW.code], NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER area_has_changed AFTER INSERT OR UPDATE ON area
    FOR EACH ROW EXECUTE FUNCTION area_has_changed();

INSERT INTO device_area (device_id, district, area)
SELECT found.device_id, here.district, found.area
FROM (SELECT DISTINCT district FROM area) AS here,
     list_devices_in_areas(here.district, NULL, NULL) AS found;

-- Later pictures of an event beside its first; these are for its case alone.
ALTER TABLE video_snapshot
    ADD number smallint NOT NULL DEFAULT 0,
    DROP CONSTRAINT video_snapshot_pkey,
    ADD PRIMARY KEY (camera_id, event_id, number);

-- The case that a video event has opened, and which pictures it has, by their hashes.
CREATE TABLE video_case (
    camera_id   int NOT NULL,
    event_id    text NOT NULL,
    incident_id bigint NOT NULL REFERENCES incident ON DELETE CASCADE,
    taken       bytea[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (camera_id, event_id),
    FOREIGN KEY (camera_id, event_id) REFERENCES video_event ON DELETE CASCADE
);
INSERT INTO video_case (camera_id, event_id, incident_id, taken)
SELECT v.camera_id, v.event_id, i.id,
       ARRAY(SELECT sha256 FROM evidence WHERE incident_id = i.id)
FROM incident i
JOIN device d ON d.id = i.device_id
JOIN video_event v ON v.camera_id = d.id AND i.condition = 'video/' || d.code || '/' || v.event_id
WHERE i.state NOT IN ('closed', 'rejected', 'cancelled', 'merged');
