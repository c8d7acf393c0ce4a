"""A project: a folder with data, an experiment file and runs. Found, opened, made, asked."""
