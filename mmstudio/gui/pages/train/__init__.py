"""The Train page: the settings of a training, and its curves."""
