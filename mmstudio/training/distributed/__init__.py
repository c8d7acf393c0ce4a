"""One training made by several processes, under torchrun: each computes its share of a step."""
