"""What ops are in the other layout, by kind: a file that registers functions needs no list."""
