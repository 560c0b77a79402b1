"""Where the rows of published data sets come from: folders of their files, or the Hugging Face hub."""
