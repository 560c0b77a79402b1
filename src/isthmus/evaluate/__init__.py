"""Predictions, metrics and what they add up to."""
