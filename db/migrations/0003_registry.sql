-- The registry that people work with: strangers waiting, devices out of service, exchanged hardware.
-- depends: 0001_core

ALTER TABLE device
    ADD COLUMN out_of_service_reason text NOT NULL DEFAULT '',
    ADD COLUMN out_of_service_by text,
    ADD COLUMN version int NOT NULL DEFAULT 1;
CREATE INDEX device_out_of_service ON device (district, return_due_at)
    WHERE out_of_service_since IS NOT NULL;

-- Identities that report and that nobody registered. Bounded by db.discovery.WAITING_MAX.
CREATE TABLE discovered_device (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    format      text NOT NULL,
    identity    text NOT NULL,
    kind        text NOT NULL DEFAULT '',     -- a guess, to be confirmed by whoever approves
    first_seen  timestamptz NOT NULL,
    last_seen   timestamptz NOT NULL,
    messages    bigint NOT NULL,
    last_topic  text NOT NULL,
    last_payload bytea NOT NULL,              -- cut at db.discovery.PAYLOAD_LIMIT bytes
    payload_size int NOT NULL,
    state       text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'approved', 'ignored')),
    decided_by  text,
    decided_at  timestamptz,
    device      text,                         -- code it was approved under
    UNIQUE (format, identity)
);
CREATE INDEX discovered_seen ON discovered_device (last_seen, id);

-- Past identities of devices whose hardware was exchanged; the present one stands in `device`.
CREATE TABLE device_identity (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    device_id   int NOT NULL REFERENCES device ON DELETE CASCADE,
    format      text NOT NULL,
    identity    text NOT NULL,                -- external identity, or the code where there was none
    model       text NOT NULL,
    valid_from  timestamptz NOT NULL,
    valid_to    timestamptz NOT NULL,
    reason      text NOT NULL,
    replaced_by text NOT NULL                 -- who exchanged it
);
CREATE INDEX device_identity_device ON device_identity (device_id, valid_to);
CREATE INDEX device_identity_old ON device_identity (format, identity);

-- What a stranger sent before somebody registered it.
CREATE INDEX reject_stranger ON reject (format, device, id)
    WHERE reason = 'device_unknown' AND replayed_at IS NULL;
