"""Does carrying the state help? Paired trainings, measured and put into words."""
