"""What to feed: inputs that the user gave, or drawn ones that the model accepts."""
