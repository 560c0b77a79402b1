"""Results as tables: a row for each chain, language and metric, or for each prediction (`isthmus.tidy.columns`)."""
