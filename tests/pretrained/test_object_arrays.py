"""Arrays out of a file that numpy would read by running what is in it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mmstudio.errors import UserError
from mmstudio.pretrained.object_arrays import read_arrays
from tests.tiny_soundnet import by_python_2, write

ARRAYS = {"one": {"weights": np.arange(12, dtype=np.float32).reshape(3, 4),
                  "few": np.array([1.5, -2.0])}, "two": np.arange(3)}


def same(found: dict[str, Any]) -> None:
    assert list(found) == ["one", "two"] and list(found["one"]) == ["weights", "few"]
    for got, expected in ((found["two"], ARRAYS["two"]), *(
            (found["one"][name], array) for name, array in ARRAYS["one"].items())):  # type: ignore[union-attr]
        assert got.dtype == expected.dtype
        np.testing.assert_array_equal(got, expected)


def test_what_python_2_wrote_is_read(tmp_path: Path) -> None:
    write(tmp_path / "a.npy", by_python_2(ARRAYS))
    same(read_arrays(tmp_path / "a.npy"))
    # numpy itself reads the same, by pickle
    same(np.load(tmp_path / "a.npy", allow_pickle=True, encoding="latin1").item())


def test_what_numpy_writes_today_is_read(tmp_path: Path) -> None:
    by_columns = np.asfortranarray(ARRAYS["one"]["weights"])  # type: ignore[index]
    np.save(tmp_path / "a.npy", np.array(
        {"one": ARRAYS["one"] | {"weights": by_columns}, "two": ARRAYS["two"]}))  # type: ignore[operator]
    same(read_arrays(tmp_path / "a.npy"))


class Calling:
    """Pickled, it is a call."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.function, self.arguments = function, arguments

    def __reduce__(self) -> Any:
        return self.function, self.arguments


@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize("function", [Path.touch, eval, np.load, np.dtype.newbyteorder])
def test_a_file_that_would_run_something_is_not_read(
    function: Any, inside: bool, tmp_path: Path
) -> None:
    made = tmp_path / "made"
    calling = Calling(function, f"open({str(made)!r}, 'w').close()" if function is eval else made)
    array = np.array({"conv1": {"weights": calling} if inside else calling}, dtype=object)
    write(tmp_path / "a.npy", pickle.dumps(array, protocol=4))
    with pytest.raises(UserError, match=r"holds more than arrays .* could run a program") as caught:
        read_arrays(tmp_path / "a.npy")
    assert "source that you trust" in caught.value.hint
    assert not made.exists()
    if function in (Path.touch, eval):  # numpy's own reader runs it
        np.load(tmp_path / "a.npy", allow_pickle=True)
        assert made.exists()


@pytest.mark.parametrize("share", [0.0, 0.01, 0.1, 0.5, 0.9, 0.999])
def test_a_file_that_ends_early_is_damaged(share: float, tmp_path: Path) -> None:
    write(tmp_path / "a.npy", by_python_2(ARRAYS))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(UserError, match=r"a\.npy can't be read as arrays"):
        read_arrays(tmp_path / "a.npy")


@pytest.mark.parametrize(("content", "message"), [
    (np.arange(3.0), "holds one array, without names"),
    (np.array([1, "a"], dtype=object), "can't be read as arrays"),
    (np.array({"a": "text"}, dtype=object), "holds a str, which is no array"),
    (np.array({"a": np.array(["text"])}, dtype=object), "'U4', which are not numbers"),
    (np.array(None, dtype=object), "holds a NoneType"),
])
def test_what_are_no_named_arrays_is_refused(
    content: np.ndarray, message: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    with pytest.raises(UserError, match=message):
        read_arrays(tmp_path / "a.npy")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="can't be read as arrays"):
        read_arrays(tmp_path / "none.npy")
