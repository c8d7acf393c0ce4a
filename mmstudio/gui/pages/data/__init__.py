"""The Data page: the samples, their columns and split, and what is wrong with them."""
