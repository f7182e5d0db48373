-- A refused message that speaks of gas over a limit is judged by nobody: a person has to look.
-- depends: 0048_escalation

ALTER TABLE reject ADD gas text NOT NULL DEFAULT '';  -- the worst it says, for people: "71.3 %LEL"
ALTER TABLE reject ADD gas_seen_at timestamptz;       -- when somebody said what becomes of it
CREATE INDEX reject_gas ON reject (received_at)
    WHERE gas <> '' AND gas_seen_at IS NULL AND replayed_at IS NULL;
