"""Descriptions only: layers, losses and optimisers as frozen dataclasses; nothing here computes."""
