"""What the commands do, once their arguments are read: those that run stages, and those that only look."""
