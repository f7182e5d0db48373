-- The code with which a browser may found the first city: only its digest, one at a time.
-- depends: 0024_history_of_settings

CREATE TABLE setup_code (
    only_row    boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    sha256      bytea NOT NULL,
    made_at     timestamptz NOT NULL
);
