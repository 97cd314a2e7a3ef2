"""The difference of two models: `models.diff` is the way in, `types` what it gives."""
