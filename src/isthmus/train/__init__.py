"""Training: the loop, its checkpoints, and the stage around them."""
