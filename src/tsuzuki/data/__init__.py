"""Files and frames in, series on a regular grid out."""
