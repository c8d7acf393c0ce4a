"""The window. Only this package imports PySide6; it shows state and starts jobs."""
