-- When each stage last went round: what the screens measure their own age by.
-- depends: 0009_sparkplug_heard

-- One row a stage and process; a row that ages is a stage that stands still.
CREATE TABLE stage_beat (
    stage       text NOT NULL CHECK (stage IN
        ('received', 'committed', 'judged', 'dispatched', 'ticked')),
    name        text NOT NULL,                -- of the process, stable over restarts
    beat_at     timestamptz NOT NULL,
    connected   boolean NOT NULL,             -- false: it goes round, and what it takes from is away
    connected_at timestamptz,                 -- newest beat with a connection, NULL: never yet
    newest_at   timestamptz,                  -- receipt of the newest message it dealt with
    waiting_since timestamptz,                -- receipt of the oldest message it holds, NULL: none
    PRIMARY KEY (stage, name)
) WITH (fillfactor = 50);
