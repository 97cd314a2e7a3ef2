"""Data sets: where samples come from, what is done to them, and how they become batches that a signature takes."""
