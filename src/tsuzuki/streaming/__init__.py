"""One reading at a time, with the state kept."""
