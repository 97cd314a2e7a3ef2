"""How good a model's answers are: metrics on labelled data, and agreement of two models on any."""
