"""A store shared through object storage, or any other place that fsspec reaches.

ISTHMUS                     says that this place is one, and of which version
blobs/ab/SHA256             the bytes of files, each once whatever its names
stages/KEY.json             the record of a finished stage, whose files are blobs; written when they are all there
rows/FINGERPRINT.json       size and SHA-256 of the Arrow file of rows
index/NAME/DIGEST.json      what is known of the splits of a task (`isthmus.data.catalog`), as one machine knew it
studies/NAME.json           the files of a study, and which stages and rows it needs
leases/KEY.json             who works at a stage, and until when that is believed
damaged/                    blobs and records that were found altered
tmp/                        files under way, where the place cannot write in one step
"""
