"""Training rows in other languages: translated by a model, with their labels."""
