"""A network made ready to compute: its memory laid out, its parameters, states and the compiled call."""
