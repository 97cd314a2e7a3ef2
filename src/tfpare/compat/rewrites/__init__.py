"""Rewrites that transforms ask for and presets do not hold, one idea a file."""
