ALTER TABLE intake DROP COLUMN reply_warned_at, DROP COLUMN reply_overdue_at;
