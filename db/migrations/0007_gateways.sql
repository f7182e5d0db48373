-- Who carries the messages: gateways and network servers, which device is heard through which, and
-- silence of devices that is explained by theirs.
-- depends: 0001_core

-- Bounded by db.gateways.GATEWAYS_MAX.
CREATE TABLE gateway (
    id          int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    format      text NOT NULL,
    identity    text NOT NULL,                -- EUI or name; of a network server its format
    kind        text NOT NULL CHECK (kind IN
        ('lorawan_gateway', 'network_server', 'sparkplug_node', 'zigbee_bridge', 'nvr')),
    district    text REFERENCES district,     -- of the first device that was heard through it
    name        text NOT NULL DEFAULT '',
    online      boolean,                      -- its own last word, NULL: it says nothing of itself
    status_at   timestamptz,                  -- when that was received
    heard_at    timestamptz,                  -- newest sign of life: a frame or a status
    back_at     timestamptz,                  -- when it last came back from an alarm
    attributes  jsonb NOT NULL DEFAULT '{}',
    first_seen  timestamptz NOT NULL,
    UNIQUE (format, identity)
);

-- Bounded by db.gateways.GATEWAYS_PER_DEVICE.
CREATE TABLE device_gateway (
    device_id   int NOT NULL REFERENCES device ON DELETE CASCADE,
    gateway_id  int NOT NULL REFERENCES gateway ON DELETE CASCADE,
    heard_at    timestamptz NOT NULL,         -- to within db.gateways.PAIR_EVERY
    rssi_dbm    real,
    snr_db      real,
    PRIMARY KEY (device_id, gateway_id)
) WITH (fillfactor = 70);
CREATE INDEX device_gateway_gateway ON device_gateway (gateway_id);

-- A condition that is there and is not announced, because the alarm of another one explains it. It
-- may or may not have an alarm of its own.
CREATE TABLE alarm_inhibition (
    condition   text PRIMARY KEY,             -- of the device
    by_condition text NOT NULL,               -- of the gateway
    district    text NOT NULL REFERENCES district,
    device_id   int NOT NULL REFERENCES device ON DELETE CASCADE,
    severity    smallint NOT NULL CHECK (severity BETWEEN 1 AND 4), -- it would have had
    reason      jsonb NOT NULL,
    since       timestamptz NOT NULL          -- last reading of the device
);
CREATE INDEX alarm_inhibition_by ON alarm_inhibition (by_condition);
CREATE INDEX alarm_inhibition_device ON alarm_inhibition (device_id);
