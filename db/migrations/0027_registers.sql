-- Registers of a city: its own definitions, entries, inspections and random draws.
-- depends: 0026_divisions_of_any_depth

-- Only what a city wrote itself; the definitions that ship are files of the product.
CREATE TABLE register_definition (
    district    text NOT NULL REFERENCES district,
    code        text NOT NULL,
    source      text NOT NULL,                -- TOML
    changed_at  timestamptz NOT NULL,
    PRIMARY KEY (district, code)
);

-- Personal data is in `personal` and `party` alone. Rows of this table stay out of the log, which
-- can never forget anything: events tell what was changed without saying what it was.
CREATE TABLE register_entry (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district     text NOT NULL REFERENCES district,
    register     text NOT NULL,
    code         text NOT NULL,
    short        text NOT NULL UNIQUE,        -- in its QR code
    state        text NOT NULL,
    fields       jsonb NOT NULL,
    personal     jsonb NOT NULL,
    party        text NOT NULL,               -- normalised number; '' where none is known
    geometry     jsonb,
    lon          double precision,
    lat          double precision,
    first_due_on date,                        -- as the data file says
    due_on       date,                        -- now
    inspected_on date,                        -- of the last inspection
    passed       boolean,
    created_at   timestamptz NOT NULL,
    changed_at   timestamptz NOT NULL,
    retired_at   timestamptz,
    version      integer NOT NULL DEFAULT 1,
    UNIQUE (district, register, code)
);
CREATE INDEX register_entry_due ON register_entry (district, register, due_on, code)
    WHERE retired_at IS NULL;

CREATE TABLE register_inspection (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL,
    entry_id    bigint NOT NULL REFERENCES register_entry,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    answers     jsonb NOT NULL,               -- answer by item of the checklist
    score       double precision NOT NULL,    -- per cent
    pass_mark   integer NOT NULL,
    passed      boolean NOT NULL,
    note        text NOT NULL,
    party       text NOT NULL,                -- who answered for the entry at that time
    incident_id bigint REFERENCES incident
);
CREATE INDEX register_inspection_entry ON register_inspection (entry_id, at DESC);
CREATE INDEX register_inspection_party ON register_inspection (district, party, at DESC)
    WHERE party <> '' AND NOT passed;

CREATE TABLE register_draw (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    district    text NOT NULL,
    register    text NOT NULL,
    at          timestamptz NOT NULL,
    actor       text NOT NULL,
    why         text NOT NULL,
    seed        text NOT NULL,
    algorithm   text NOT NULL,
    wanted      integer NOT NULL,
    each        integer NOT NULL,
    population  jsonb NOT NULL,               -- [[code of an entry, weight]]
    inspectors  jsonb NOT NULL,
    result      jsonb NOT NULL                -- [[code of an entry, [inspector]]]
);
CREATE INDEX register_draw_newest ON register_draw (district, register, id DESC);

DO $$ BEGIN
    PERFORM log_rows_of('register_definition', '{district,code}', '{register,code}');
    PERFORM log_rows_of('register_inspection', '{id}', '{register_entry,entry_id}',
                        '{party}');
END $$;
