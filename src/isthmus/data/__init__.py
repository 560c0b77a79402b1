"""Rows: where they come from, what shape they have, how they are named by their content."""
