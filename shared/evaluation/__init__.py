"""How good predictions are, and how sure of that we can be. Degrees, `(lat, lon)`, kilometres."""
