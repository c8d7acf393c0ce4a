"""What is found out of a trained run: its answers, their figures, what they tell of its data."""
