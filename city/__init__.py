"""The words of the city: frozen values and enums, standard library only."""
