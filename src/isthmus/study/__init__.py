"""What a person writes, how it is read, and what is wrong with it."""
