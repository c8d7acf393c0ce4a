"""The Model page: the inputs, their encoders, and the fusion."""
