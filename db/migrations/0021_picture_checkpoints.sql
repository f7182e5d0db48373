-- What the log adds up to at some of its events, so that nobody folds it from its beginning.
-- depends: 0020_squad_positions

CREATE TABLE picture_checkpoint (
    district    text NOT NULL REFERENCES district,
    seq         bigint NOT NULL,              -- of the last event that is in it
    format      smallint NOT NULL,            -- of the body (replay.checkpoint.FORMAT)
    at          timestamptz NOT NULL,         -- of that event
    made_at     timestamptz NOT NULL,
    body        bytea NOT NULL,
    PRIMARY KEY (district, format, seq)
);
ALTER TABLE picture_checkpoint ALTER COLUMN body SET STORAGE EXTERNAL; -- compressed already
