"""Epochs: what happens between the calls of the compiled program."""
