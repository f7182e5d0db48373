-- That a reply is due soon, and that it is late, is said once each.
-- depends: 0057_brigades_and_kit

ALTER TABLE intake
    ADD COLUMN reply_warned_at timestamptz,
    ADD COLUMN reply_overdue_at timestamptz;
