"""`isthmus view`: the report of a study, and how far it is, in a browser of this machine while it runs."""
