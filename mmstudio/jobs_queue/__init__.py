"""What a project is to train: it waits, runs one after another, and survives a restart."""
