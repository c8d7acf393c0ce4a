"""The Test page: a sample, what the model answers, and the samples like it."""
