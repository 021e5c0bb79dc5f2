"""Stage 1: where photos come from."""
