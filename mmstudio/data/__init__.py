"""From files on disk to batches: table, split, schema, store, batches, checks."""
