"""The Compare page: fusions beside each other."""
