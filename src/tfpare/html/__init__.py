"""The page that shows a run: one HTML file that opens offline and asks nobody for anything."""
