"""Data from public bug reports, made anew and tried: a table of what is proposed and what fails.

    python tests/trials/data_as_people_have_it.py [--only 05 --only 33] [--keep FOLDER]

Each case is a folder with ``make.py FOLDER``, which writes the data, and mostly ``small.py``, the
smallest input that failed once; it exits with 1 while it fails, and finds the program in MM. The
cases are looked for in ``shared/cases`` in or beside the checkout, or where MMSTUDIO_TEST_CASES
says; where they are missing, that is said and nothing is tried.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_S = 300.0
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".parquet")


def cases() -> Path | None:
    """The folder of the cases, None where there is none."""
    places = [ROOT / "shared" / "cases", ROOT.parent / "shared" / "cases"]
    if override := os.environ.get("MMSTUDIO_TEST_CASES"):
        places = [Path(override)]
    return next((place for place in places if place.is_dir()), None)


def program(folder: Path) -> Path:
    """A file that starts the checkout's mmstudio: the cases call it by its path."""
    path = folder / "mmstudio"
    path.write_text(f"#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} "
                    f'exec {shlex.quote(sys.executable)} -m mmstudio "$@"\n')
    path.chmod(0o755)
    return path


def run(command: list[str], environment: dict[str, str]) -> tuple[int, str, str]:
    """Exit status, output and messages of a program; 124 where it takes too long."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S,
                              env=environment)
    except subprocess.TimeoutExpired:
        return 124, "", f"took more than {PATIENCE_S:.0f} s"
    return done.returncode, done.stdout, done.stderr


def proposed(source: Path, project: Path, mm: str, environment: dict[str, str]) -> str:
    """What ``new`` says about a source, and how many problems ``check`` finds, in one line."""
    code, out, messages = run([mm, "new", str(project), "--data", str(source), "--json"],
                              environment)
    if code:
        return messages.strip().splitlines()[-1] if messages.strip() else f"exit {code}"
    told = json.loads(out)
    used = [f"{c['name']}: {c['modality'] or c['task'] or c['role']}" for c in told["columns"]
            if c["role"] != "ignore"]
    code, out, _ = run([mm, "check", str(project / "experiment.toml"), "--json"], environment)
    found = len(json.loads(out)["problems"]) if out.strip() else f"exit {code}"
    return f"{told['rows']} rows; {', '.join(used)}; {found} problems"


def tried(case: Path, folder: Path, mm: Path) -> bool:
    """Make and run one case and print its part of the table."""
    environment = os.environ | {
        "MM": str(mm), "MMSTUDIO_CACHE": str(folder / "cache"), "OMP_NUM_THREADS": "1",
        "MMSTUDIO_CONFIG": str(folder / "config"), "COLUMNS": "200"}
    data = folder / "data"
    code, _, messages = run([sys.executable, str(case / "make.py"), str(data)], environment)
    verdict, wanted = "no small.py", ""
    if (case / "small.py").exists():
        status, out, _ = run([sys.executable, str(case / "small.py")], environment)
        verdict = "ok" if status == 0 else "FAILS"
        last = out.strip().splitlines()[-1] if out.strip() else f"exit {status}"
        wanted = "" if status == 0 else last.removeprefix("FAILS; ")
    print(f"{case.name:36}{verdict}")
    if wanted:
        print(f"    {wanted}")
    if code:
        print(f"    make.py ended with {code}: {messages.strip().splitlines()[-1:]}")
    else:
        sources = [data, *sorted(p for p in data.iterdir() if p.suffix in TABLES)]
        for number, source in enumerate(sources):
            line = proposed(source, folder / f"project {number}", str(mm), environment)
            print(f"    {'the folder' if source == data else source.name}: {line}")
    sys.stdout.flush()
    return verdict != "FAILS"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", default=[], help="beginning of a case's name")
    parser.add_argument("--keep", type=Path, help="make the data here and leave it")
    options = parser.parse_args()
    place = cases()
    if place is None:
        print("There are no cases: shared/cases is neither in nor beside the checkout;"
              " name their folder with MMSTUDIO_TEST_CASES.")
        return
    chosen = [c for c in sorted(place.iterdir()) if (c / "make.py").exists()
              and (not options.only or c.name.startswith(tuple(options.only)))]
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        mm = program(folder)
        good = 0
        for case in chosen:
            (folder / case.name).mkdir(exist_ok=True)
            good += tried(case, folder / case.name, mm)
    print(f"{good} of {len(chosen)} do not fail")


if __name__ == "__main__":
    main()
