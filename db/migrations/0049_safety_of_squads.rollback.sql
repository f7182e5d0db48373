DROP TABLE check_in;
