DROP INDEX reject_gas;
ALTER TABLE reject DROP gas_seen_at;
ALTER TABLE reject DROP gas;
