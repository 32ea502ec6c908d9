"""Frames to forecasts with intervals, and how good they are."""
