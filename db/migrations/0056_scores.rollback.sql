DROP TABLE score_formula, report_plan;
