"""Whole-graph work. A pass is a function from a model to a count of changes; order is data (`base.Pass.after`)."""
