"""Several fusions, and each input alone, trained on the same split and ranked honestly."""
