"""Walking the graph, and one stage at a time."""
