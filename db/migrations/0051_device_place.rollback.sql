DROP INDEX device_place;
