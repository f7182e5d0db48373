"""The tables of the city folder: read, changed, put in force and looked back on."""
