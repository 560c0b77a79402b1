"""Models: found, converted, trimmed and saved as ordinary Hugging Face folders."""
