DROP TABLE broker_count, sequence_total, sequence_gap, sequence_name, sequence_state, sequence_batch;
