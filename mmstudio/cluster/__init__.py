"""Job files for the schedulers of clusters: each starts torchrun on the machines it is lent."""
