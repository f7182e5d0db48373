-- Who is told of which step of a case, and at which share of a limit the step comes.
-- depends: 0047_messages

CREATE TABLE escalation_step (
    district    text NOT NULL REFERENCES district,
    step        text NOT NULL CHECK (step IN (
                    'opened', 'dispatched', 'reminder', 'overdue', 'yellow', 'red')),
    at_percent  int CHECK (at_percent BETWEEN 1 AND 10000),
    severity    int NOT NULL CHECK (severity BETWEEN 1 AND 4),
    recipients  text[] NOT NULL,
    channels    text[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (district, step)
);

DO $$ BEGIN
    PERFORM log_rows_of('escalation_step', '{district,step}', '{escalation,step}');
END $$;
