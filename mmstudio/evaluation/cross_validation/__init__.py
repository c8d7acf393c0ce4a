"""Cross-validation: each fold trained as a run, and the figures of all answers to held-out rows."""
