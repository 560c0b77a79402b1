"""The answer of a study, made from its finished scores: for the terminal, for scripts, and as one HTML file."""
