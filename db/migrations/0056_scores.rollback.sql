DROP TABLE score_formula, report_plan, handling_time, breach_forecast;
