"""From a study to a graph of stages, and what that will cost. Starts nothing."""
