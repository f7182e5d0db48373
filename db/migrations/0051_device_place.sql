-- depends: 0040_pictures_for_browsers

-- Rules on neighbours and causes of gas ask for the devices around a place.
CREATE INDEX device_place ON device (district, lat, lon);
