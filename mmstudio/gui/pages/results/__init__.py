"""The Results page: where the model is wrong, of which classes, and how far it can be trusted."""
