"""What a sample holds of an input before it is read."""

from __future__ import annotations

from pathlib import Path

Value = str | Path
"""One sample's content: a file's path, or what stands in the table itself."""
