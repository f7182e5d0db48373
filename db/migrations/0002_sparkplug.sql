-- Sparkplug B: what births say outlives the worker that heard them; requests to edge nodes wait in rows.
-- depends: 0001_core

CREATE TABLE sparkplug_node (                 -- one edge node: its session and its sequence numbers
    group_id    text NOT NULL,
    edge_id     text NOT NULL,
    online      boolean NOT NULL DEFAULT false,
    bd_seq      smallint CHECK (bd_seq BETWEEN 0 AND 255), -- of the last birth
    born_at     timestamptz,                  -- receipt of the last birth
    death_bd_seq smallint,                    -- of the last Last Will, whether or not it was heeded
    death_at    timestamptz,
    next_seq    smallint CHECK (next_seq BETWEEN 0 AND 255), -- unknown without a birth
    recent      jsonb NOT NULL DEFAULT '[]',  -- [[seq, received_at]] of the last seconds
    gap_since   timestamptz,                  -- a number has been missing since
    rebirth_asked_at timestamptz,             -- when the last request went out
    rebirth_due_at timestamptz,               -- when the next one goes out, unless it is called off
    rebirth_reason text NOT NULL DEFAULT '',
    PRIMARY KEY (group_id, edge_id)
);

CREATE TABLE sparkplug_source (               -- an edge node ('' as device) or a device behind one
    group_id    text NOT NULL,
    edge_id     text NOT NULL,
    device_id   text NOT NULL,
    born_at     timestamptz NOT NULL,
    died_at     timestamptz,                  -- its aliases mean nothing for what comes later
    PRIMARY KEY (group_id, edge_id, device_id),
    FOREIGN KEY (group_id, edge_id) REFERENCES sparkplug_node ON DELETE CASCADE
);

CREATE TABLE sparkplug_metric (               -- what the last birth of a source calls its metrics
    group_id    text NOT NULL,
    edge_id     text NOT NULL,
    device_id   text NOT NULL,
    name        text NOT NULL,
    alias       numeric(20),                  -- unsigned 64 bits
    datatype    smallint NOT NULL,
    unit        text NOT NULL DEFAULT '',
    PRIMARY KEY (group_id, edge_id, device_id, name),
    FOREIGN KEY (group_id, edge_id, device_id) REFERENCES sparkplug_source ON DELETE CASCADE
);
CREATE UNIQUE INDEX sparkplug_metric_alias
    ON sparkplug_metric (group_id, edge_id, device_id, alias) WHERE alias IS NOT NULL;

-- Messages to publish. Whoever is connected claims what is due; those that were sent are kept a
-- while to show what was asked of whom.
CREATE TABLE mqtt_outbox (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    topic       text NOT NULL,
    payload     bytea NOT NULL,
    qos         smallint NOT NULL DEFAULT 0 CHECK (qos IN (0, 1, 2)),
    due_at      timestamptz NOT NULL,
    sent_at     timestamptz,
    attempts    int NOT NULL DEFAULT 0
);
CREATE INDEX mqtt_outbox_due ON mqtt_outbox (due_at) WHERE sent_at IS NULL;
CREATE INDEX mqtt_outbox_sent ON mqtt_outbox (sent_at) WHERE sent_at IS NOT NULL;
