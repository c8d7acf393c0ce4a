"""Generators that others pass on."""

from __future__ import annotations

from collections.abc import Generator

from mmstudio.generators import mapped


def test_steps_become_events_and_the_result_is_returned() -> None:
    closed = []

    def steps() -> Generator[int, None, str]:
        try:
            yield 1
            yield 2
        finally:
            closed.append(True)
        return "done"

    def all_of() -> Generator[str, None, None]:
        result = yield from mapped(steps(), str)
        assert result == "done"

    assert list(all_of()) == ["1", "2"]
    left = mapped(steps(), str)
    assert next(left) == "1"
    left.close()
    del left
    assert closed == [True, True]
