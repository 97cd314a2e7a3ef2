"""Finding the precision: what may be lost, what is measured to be faster, and which layers stay in float."""
