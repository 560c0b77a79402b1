"""Tasks: a data set with a kind, languages, splits, a metric and a licence."""
