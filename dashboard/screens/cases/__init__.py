"""Finding cases, open and closed ones, by anything that is said of them."""
