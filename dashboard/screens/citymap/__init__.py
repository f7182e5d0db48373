"""The live map, as wall and console show it."""
