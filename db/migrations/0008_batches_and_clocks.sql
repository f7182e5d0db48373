-- Batches on their way to evaluation are no longer compressed. How far a device's clock and values
-- can be trusted: measured by jobs, shown beside the values.
-- depends: 0007_gateways

-- Two files once (`db.migrate.FORMER_NAMES`): every statement may meet a database where one of them
-- was applied.

-- Binary readings that live for a second: compressing them cost PostgreSQL a tenth of what a
-- message costs it, and saved half of a few megabytes.
ALTER TABLE ingest_batch ALTER COLUMN payload SET STORAGE EXTERNAL;

-- Time of receipt minus time of measurement over the last readings that have a time of their own.
CREATE TABLE IF NOT EXISTS device_clock (
    device_id   int PRIMARY KEY REFERENCES device ON DELETE CASCADE,
    lag_s       double precision,             -- median; the way through the network is part of it
    least_s     double precision,             -- below 0: the clock is ahead
    readings    int NOT NULL,                 -- that were looked at
    replaced    int NOT NULL,                 -- of them with a time so wrong that receipt counts
    measured_at timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS device_fault (
    device_id   int NOT NULL REFERENCES device ON DELETE CASCADE,
    kind        text NOT NULL CHECK (kind IN ('stuck', 'clock')),
    metric      text NOT NULL,                -- empty: the whole device
    since       timestamptz NOT NULL,         -- at the latest; it may have begun before
    noticed_at  timestamptz NOT NULL,
    detail      jsonb NOT NULL,
    PRIMARY KEY (device_id, kind, metric)
);

-- A value that stays exactly the same for so long is no measurement. A device may have a time of
-- its own in its attribute `stuck_after_s` (0: never).
CREATE TABLE IF NOT EXISTS stuck_limit (
    metric      text NOT NULL,
    version     int NOT NULL,
    after_s     double precision NOT NULL CHECK (after_s >= 3600),
    readings    int NOT NULL CHECK (readings > 1), -- in that time, at least
    normal_low  double precision,             -- between these a constant value is a good one
    normal_high double precision,
    source      text NOT NULL,
    valid_from  date NOT NULL,
    valid_to    date,
    PRIMARY KEY (metric, version)
);
CREATE UNIQUE INDEX IF NOT EXISTS stuck_limit_in_force ON stuck_limit (metric) WHERE valid_to IS NULL;

CREATE TABLE IF NOT EXISTS clock_limit (
    version     int PRIMARY KEY,
    ahead_s     double precision NOT NULL CHECK (ahead_s > 0),
    behind_s    double precision NOT NULL CHECK (behind_s > 0),
    readings    int NOT NULL CHECK (readings > 0), -- fewer say nothing
    source      text NOT NULL,
    valid_from  date NOT NULL,
    valid_to    date
);
CREATE UNIQUE INDEX IF NOT EXISTS clock_limit_in_force ON clock_limit ((true)) WHERE valid_to IS NULL;

-- Air in a shaft moves by a tenth of a degree in two days, noise moves the rest; gas near zero,
-- a dry shaft, saturated air, clean air's oxygen and darkness are constant in a good sensor.
-- Not here: tilt, switches, battery, dimming, power and whatever else stands still by nature.
INSERT INTO stuck_limit
    (metric, version, after_s, readings, normal_low, normal_high, source, valid_from)
VALUES
    ('temperature_c',  1, 172800, 40, NULL, NULL, 'proposal', '2020-01-01'),
    ('humidity_pct',   1, 172800, 40, 99,   100,  'proposal', '2020-01-01'),
    ('pressure_kpa',   1, 172800, 40, NULL, NULL, 'proposal', '2020-01-01'),
    ('illuminance_lx', 1, 172800, 40, 0,    1,    'proposal', '2020-01-01'),
    ('co2_ppm',        1, 86400,  20, 400,  400,  'proposal', '2020-01-01'),
    ('ch4_pct_lel',    1, 86400,  20, -2,   2,    'proposal', '2020-01-01'),
    ('ch4_pct_vol',    1, 86400,  20, -0.1, 0.1,  'proposal', '2020-01-01'),
    ('gas_ppm',        1, 86400,  20, -100, 100,  'proposal', '2020-01-01'),
    ('co_ppm',         1, 86400,  20, -5,   5,    'proposal', '2020-01-01'),
    ('h2s_ppm',        1, 86400,  20, -1,   1,    'proposal', '2020-01-01'),
    ('o2_pct_vol',     1, 86400,  20, 20.4, 21.2, 'proposal', '2020-01-01'),
    ('water_level_cm', 1, 604800, 80, -1,   1,    'proposal', '2020-01-01'),
    ('distance_mm',    1, 604800, 80, NULL, NULL, 'proposal', '2020-01-01'),
    ('voltage_v',      1, 172800, 80, 0,    1,    'proposal', '2020-01-01')
ON CONFLICT DO NOTHING;

INSERT INTO clock_limit (version, ahead_s, behind_s, readings, source, valid_from)
VALUES (1, 10, 300, 4, 'proposal', '2020-01-01')
ON CONFLICT DO NOTHING;
