"""The rewriting engine: patterns, matches, the add-only builder and the driver that owns safety."""
