"""What a trained run's answers and representations tell of the model and of its data."""
