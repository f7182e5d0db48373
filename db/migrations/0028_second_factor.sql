-- A person may have a second factor beside the password: codes of an authenticator.
-- depends: 0027_registers

-- Since when they have one; the secrets stand in tables that are not logged.
ALTER TABLE app_user ADD COLUMN second_factor_at timestamptz;

CREATE TABLE second_factor (
    name        text PRIMARY KEY REFERENCES app_user ON DELETE CASCADE,
    sealed      bytea NOT NULL,     -- encrypted with a key from the installation's own
    last_step   bigint NOT NULL     -- the newest code that was used: each is good once
);

CREATE TABLE recovery_code (
    name        text NOT NULL REFERENCES second_factor ON DELETE CASCADE,
    sha256      bytea NOT NULL,
    used_at     timestamptz,
    PRIMARY KEY (name, sha256)
);
