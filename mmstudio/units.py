"""Sizes, durations and numbers as people read them; worded here and nowhere else."""

from __future__ import annotations


def size_text(count: float, *, compared: bool = False) -> str:
    """45_000_000 bytes as ``45 MB``, 1_340_000_000 as ``1.3 GB``.

    Args:
        count: Bytes.
        compared: Whether it stands beside others, so that ``1.2 MB`` is not the same as ``1.4 MB``.
    """
    value, unit = float(count), "B"
    for larger in ("KB", "MB", "GB", "TB"):
        if value < 999.5:
            break
        value, unit = value / 1000, larger
    decimal = unit in (("MB", "GB", "TB") if compared else ("GB", "TB")) and value < 99.5
    return f"{value:.1f} {unit}" if decimal else f"{value:.0f} {unit}"


def size_of_text(done: int, total: int) -> str:
    """How much of it is there: ``12 of 45 MB``; the unit stands once where it is the same."""
    have, whole = size_text(done), size_text(total)
    number, _, unit = have.partition(" ")
    return f"{number if whole.endswith(f' {unit}') else have} of {whole}"


def duration_text(seconds: float) -> str:
    """0.42 as ``0.42 s``, 25 as ``25 s``, 4000 as ``67 min``, 8000 as ``2 h 13 min``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s" if seconds >= 0.995 else f"{seconds:.2f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min"


def time_left_text(seconds: float) -> str:
    """As ``duration_text``, in whole seconds: what is left is not known any better."""
    return duration_text(seconds) if seconds >= 9.95 else f"{max(1, round(seconds))} s"


def signed(value: float, digits: int = 1) -> str:
    """2.13 as ``+2.1``, -0.3 as ``−0.3``; what rounds to nothing has no sign."""
    return with_sign(value, f"{abs(value):.{digits}f}")


def with_sign(value: float, size: str) -> str:
    """The text of a value's size with the value's sign; none where that text is a zero."""
    if float(size) == 0:
        return size
    return f"+{size}" if value > 0 else f"−{size}"


def number_text(number: float, digits: int) -> str:
    """A number for people, with so many significant digits; no whole digit is cut off.

    40123.4 is "40123" with four digits, and 0.123456 is "0.1235".
    """
    text = f"{number:.{digits}g}"
    return f"{number:.0f}" if "e+" in text and abs(number) < 1e9 else text


def plain_number(value: float) -> str:
    """A number in three digits, never with an exponent: 0.312, 3.12, 312."""
    size = abs(value)
    if size >= 100 or size == 0:
        return f"{value:.0f}"
    if size < 0.0005:
        return "0"
    return f"{value:.2f}" if size >= 1 else f"{value:.3f}"
