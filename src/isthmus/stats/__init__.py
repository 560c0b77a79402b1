"""Intervals and tests over finished scores. Nothing here loads a model."""
