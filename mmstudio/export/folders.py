"""Where a run's files were, seen from its table: there a table's paths are looked for again."""

from __future__ import annotations

from pathlib import Path

from mmstudio.data.table import read_table
from mmstudio.errors import UserError
from mmstudio.inference.predictor import Predictor


def file_folders(predictor: Predictor) -> dict[str, str]:
    """Per input of files the folder, relative to the table, that its cells leave out.

    Of most there is none. What the experiment says goes before what is found in the run's data;
    places elsewhere on this machine say nothing on another, and stay out.
    """
    settings = predictor.experiment.active_inputs
    told = {n: i.folder for n, i in settings.items() if i.folder}
    files = [n for n, i in settings.items()
             if n not in told and not i.columns and not predictor.modalities[n].in_cells]
    found = {n: f for n, f in told.items() if not Path(f).is_absolute()}
    if not files:
        return found
    project = predictor.run.path.resolve().parent.parent
    try:
        table = read_table(project / predictor.experiment.data.table)
        for name in files:
            places = table.places(settings[name].column)
            # where parts of a path are cut off too, a folder alone says too little
            if places.moved and not places.trim and places.place.is_relative_to(table.folder):
                found[name] = places.place.relative_to(table.folder).as_posix()
    except (UserError, OSError):
        return found  # the data are gone: the model is exported all the same
    return {name: folder for name, folder in found.items() if folder != "."}
