"""Plain files as rows: delimited text, JSON Lines, CoNLL and aligned texts, each error naming its file and line."""
