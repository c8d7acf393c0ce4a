"""What is found out of a trained run: its answers to whole splits, kept, and all their figures."""
