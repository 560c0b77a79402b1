"""Sentence retrieval without a model: nearest neighbours, margins, mining."""
