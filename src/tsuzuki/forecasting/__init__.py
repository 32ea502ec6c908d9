"""Frames to forecasts with intervals, and their evaluation."""
