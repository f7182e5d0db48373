-- Zigbee2MQTT bridges and what they say of their devices: units and words outlive the worker that heard them.
-- depends: 0009_sparkplug_heard

-- Bounded by db.zigbee.BRIDGES_MAX, but for those of registered devices.
CREATE TABLE zigbee_bridge (
    bridge      text PRIMARY KEY,             -- what its base topic has beyond the usual; '' if nothing
    version     text NOT NULL DEFAULT '',     -- of the program
    converters  text NOT NULL DEFAULT '',     -- of the definitions
    info_at     timestamptz,                  -- receipt of what said so
    devices_at  timestamptz,                  -- receipt of the newest list of devices
    digest      bytea,                        -- of that list
    first_seen  timestamptz NOT NULL,
    heard_at    timestamptz NOT NULL
);

CREATE TABLE zigbee_device (                  -- one device of the newest list
    bridge      text NOT NULL REFERENCES zigbee_bridge ON DELETE CASCADE,
    ieee        text NOT NULL,
    identity    text NOT NULL,                -- by which its messages name it: bridge and friendly name
    name        text NOT NULL,
    model_id    text NOT NULL DEFAULT '',
    vendor      text NOT NULL DEFAULT '',
    model       text NOT NULL DEFAULT '',
    version     text NOT NULL DEFAULT '',     -- of the definition, where it has one
    power_source text NOT NULL DEFAULT '',
    exposed     jsonb,                        -- by the name of the value; NULL: no definition
    PRIMARY KEY (bridge, ieee)
);
CREATE INDEX zigbee_device_identity ON zigbee_device (identity);
CREATE INDEX zigbee_device_ieee ON zigbee_device (ieee);
