"""Folders of files as samples, and answers that go on where they were stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from mmstudio.cli.predict import _origin
from mmstudio.errors import UserError
from mmstudio.experiment import Component, InputSettings
from mmstudio.inference.folder_answers import folder_table, sample_keys
from mmstudio.inference.kept_answers import KeptAnswers
from mmstudio.inference.table_answers import check_place
from mmstudio.training.ensemble_file import Member, member_folder, write_members


def settings(**kinds: str) -> dict[str, InputSettings]:
    return {n: InputSettings(f"column {n}", kind, Component("auto")) for n, kind in kinds.items()}


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"x")
    return folder


def rows(folder: Path, **kinds: str) -> list[tuple[str | None, ...]]:
    return folder_table(folder, settings(**kinds)).frame.rows()


def test_files_of_one_name_are_one_sample(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "a.wav", "b.png", "deep/a.wav", "notes.pdf")
    assert rows(tmp_path, photo="image", voice="audio") == [
        ("a", "a.png", "a.wav"), ("b", "b.png", None), ("deep/a", None, "deep/a.wav")]


def test_folders_may_be_called_like_inputs(tmp_path: Path) -> None:
    write(tmp_path, "left/1.png", "right/1.png", "left/2.png")
    assert rows(tmp_path, left="image", right="image") == [
        ("1", "left/1.png", "right/1.png"), ("2", "left/2.png", None)]


def test_two_files_of_one_name_and_kind_are_two_samples(tmp_path: Path) -> None:
    write(tmp_path, "a.jpg", "a.png")
    assert rows(tmp_path, photo="image") == [("a", "a.jpg"), ("a.png", "a.png")]


def test_what_is_not_clear_is_told(tmp_path: Path) -> None:
    write(tmp_path, "1.png")
    with pytest.raises(UserError, match="may be left or right"):
        rows(tmp_path, left="image", right="image")
    with pytest.raises(UserError, match="holds nothing that the model reads"):
        rows(tmp_path, voice="audio")
    with pytest.raises(UserError, match="There is no folder"):
        rows(tmp_path / "none", voice="audio")


def test_answers_are_kept_until_all_are_there(tmp_path: Path) -> None:
    place, origin = tmp_path / "out.csv.part", {"model": "m", "size": 1}
    answer = ["x", 0.75, None]
    first = KeptAnswers(place, origin, 3)
    assert not place.exists()
    partly = ["x", 0.75, "damaged. Replace it."]  # answered without what can't be read
    first.add(["a", "b", "d"], [answer, [None, None, "damaged. Replace it."], partly])
    place.write_bytes(place.read_bytes() + b'["c", "ta')  # killed while it wrote
    again = KeptAnswers(place, origin, 3)
    assert again.cells == {"a": answer}  # the others may be mended by now
    again.add(["b"], [answer])
    again.add(["c"], [["x", None, None]])
    assert set(KeptAnswers(place, origin, 3).cells) == {"a", "b", "c"}
    # of another model, or with other columns, nothing is taken
    assert KeptAnswers(place, {"model": "other", "size": 1}, 3).cells == {}
    assert KeptAnswers(place, origin, 5).cells == {}
    again.done()
    assert not place.exists()


def test_a_sample_whose_file_was_changed_is_another(tmp_path: Path) -> None:
    write(tmp_path, "a.png", "b.png", "b.wav")
    table = folder_table(tmp_path, settings(photo="image", voice="audio"))
    before = sample_keys(table)
    assert sample_keys(table) == before and len(set(before)) == 2
    (tmp_path / "b.wav").write_bytes(b"longer")
    after = sample_keys(table)
    assert after[0] == before[0] and after[1] != before[1]


def test_answers_that_can_not_be_kept_are_told_of(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"out\.part can't be written"):
        KeptAnswers(tmp_path / "none" / "out.part", {"model": "m"}, 2).add(["a"], [["x", None]])


def test_a_calibration_that_came_meanwhile_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "best.safetensors").write_bytes(b"x")
    before = _origin(tmp_path, tmp_path)
    assert _origin(tmp_path, tmp_path) == before
    (tmp_path / "calibration.json").write_text("{}")
    assert _origin(tmp_path, tmp_path) != before


def test_an_ensemble_with_another_member_or_weight_begins_anew(tmp_path: Path) -> None:
    write_members(tmp_path, [Member("a", 0.5), Member("b", 0.5)])
    write(tmp_path, *(f"members/{number}/best.safetensors" for number in (1, 2)))
    before = _origin(tmp_path, tmp_path)
    assert _origin(tmp_path, tmp_path) == before
    (member_folder(tmp_path, 2) / "best.safetensors").write_bytes(b"other")
    exchanged = _origin(tmp_path, tmp_path)
    assert exchanged != before
    write_members(tmp_path, [Member("a", 0.25), Member("b", 0.75)])
    assert _origin(tmp_path, tmp_path) != exchanged


def test_a_table_that_is_another_begins_anew(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("text\nround\n")
    before = _origin(tmp_path, tmp_path / "t.csv")
    assert _origin(tmp_path, tmp_path / "t.csv") == before
    (tmp_path / "t.csv").write_text("text\nround\nlong\n")
    assert _origin(tmp_path, tmp_path / "t.csv") != before


def test_the_table_itself_is_no_place_for_its_answers(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    table.write_text("text\nround\n")
    (tmp_path / "link.csv").symlink_to(table)
    (tmp_path / "hard.csv").hardlink_to(table)
    check_place(tmp_path / "out.csv", table)
    for place in (table, tmp_path / "link.csv", tmp_path / "hard.csv"):
        with pytest.raises(UserError, match="it is the table that is answered"):
            check_place(place, table)


def test_a_place_is_refused_before_anything_is_answered(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_place(tmp_path / "out.csv")
    with pytest.raises(UserError, match="there is no folder"):
        check_place(tmp_path / "none" / "out.csv")
    monkeypatch.setattr("os.access", lambda *_: False)
    with pytest.raises(UserError, match="is read-only"):
        check_place(tmp_path / "out.csv")
