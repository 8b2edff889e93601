"""What both interpreters run: imports the programs of a folder and runs its package's tests, in one measurement.

    python tests/support/wasm/measured.py FOLDER DATA_FILE

Ends with the numbers of programs imported and of pytest's exit status.
"""

import os
import shutil
import sys
import warnings


def main(folder, data_file):
    """Measure what is in the folder; leave the data in the file, which may be on another file system."""
    os.chdir(folder)
    sys.path[:0] = [os.path.join(folder, "programs"), os.path.join(folder, "ledger", "src")]
    sys.unraisablehook = lambda _: None  # generators that fail while they are closed
    sys.dont_write_bytecode = True
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # those installed here may need extensions
    import pytest

    import footfall

    warnings.simplefilter("ignore")
    names = sorted(name[:-3] for name in os.listdir("programs") if name.endswith(".py"))
    with footfall.measure():
        for name in names:
            try:
                __import__(name)
            except Exception:  # some constructs end so
                pass
        # there are no processes under WASM
        status = pytest.main(["-q", "-p", "no:cacheprovider", "-k", "not as_a_module", "ledger/tests"])
    shutil.copy(".coverage", data_file)
    print(f"{len(names)} programs, pytest's status {int(status)}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
