"""Measuring: how long models take, how much they need, and whether a difference is more than noise."""
