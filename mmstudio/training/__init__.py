"""Training: a generator of events that writes a run folder."""
