"""One file for each transform of the Graph Transform Tool."""
