DROP TABLE certificate, checklist_answer, run_card;
DROP FUNCTION certificate_row_changed, checklist_answer_row_changed, run_card_row_changed;
