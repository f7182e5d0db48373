DROP TABLE score_formula;
