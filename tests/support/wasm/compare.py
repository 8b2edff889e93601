"""Measures the table of constructs and a package's tests under Pyodide, and compares with this interpreter's numbers.

    python tests/support/wasm/compare.py NODE_MODULES      where `npm install pyodide` has put it; `make wasm`

Prints how many files were compared, and each that differs; ends with status 1 if any does. The interpreter must have the
Python version that Pyodide is. Both run in Python alone (FOOTFALL_PURE), and this one in C as well.
"""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[2]
sys.path.insert(0, str(HERE.parent))

import footfall  # noqa: E402
from exact import constructs  # noqa: E402
from footfall.record.data.coverage_tables import StoredCoverage, read_coverage  # noqa: E402


def make_folder(folder: Path) -> None:
    """Write what is to be measured."""
    (folder / "programs").mkdir(parents=True)
    for name, text in constructs().items():
        (folder / "programs" / f"{name}.py").write_text(text, encoding="utf-8")
    shutil.copytree(REPOSITORY / "examples" / "ledger", folder / "ledger", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / ".coveragerc").write_text("[run]\nbranch = true\nsource = .\n", encoding="utf-8")


def main(node_modules: str) -> int:
    """Compare, and return the exit status."""
    with tempfile.TemporaryDirectory() as made:
        out = Path(made).resolve()
        folder = out / "work"
        make_folder(folder)
        there = out / "wasm" / "there.coverage"
        there.parent.mkdir()
        script = Path(node_modules).resolve().parent / "measured.mjs"
        shutil.copytree(HERE, script.parent, dirs_exist_ok=True)  # node looks for packages from there
        sources = str(Path(footfall.__file__).parents[1])
        subprocess.run(
            ["node", str(script), str(folder), str(there), sources, sysconfig.get_path("purelib")],
            check=True,
            timeout=600,
        )
        found = read_coverage(there)
        n_different = 0
        for pure in ("1", ""):
            here = out / f"here{pure}.coverage"
            environment = {name: value for name, value in os.environ.items() if not name.startswith("FOOTFALL")}
            command = [sys.executable, str(HERE / "measured.py"), str(folder), str(here)]
            subprocess.run(command, env={**environment, "FOOTFALL_PURE": pure}, check=True, timeout=600)
            n_different += show_differences(found, read_coverage(here))
    return 1 if n_different or not found.files else 0


def show_differences(there: StoredCoverage, here: StoredCoverage) -> int:
    """Print what differs between two measurements; return the number of files."""
    different = [path for path in sorted({*there.files, *here.files}) if there.files.get(path) != here.files.get(path)]
    n_arcs = sum(len(file.arcs) for file in there.files.values())
    print(f"{len(there.files)} files with {n_arcs} arcs under Pyodide, {len(here.files)} here: {len(different)} differ")
    for path in different[:20]:
        ours, theirs = here.files.get(path), there.files.get(path)
        if ours is None or theirs is None:
            print(f"  {path}: only {'there' if ours is None else 'here'}")
        else:
            print(
                f"  {path}: only here {sorted(ours.arcs - theirs.arcs)}, only there {sorted(theirs.arcs - ours.arcs)}"
            )
    return len(different)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
