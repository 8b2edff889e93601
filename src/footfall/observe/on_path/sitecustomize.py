"""The start hook of a Python without footfall: `footfall run` puts this folder on its PYTHONPATH, for one run.

`site` imports it by its name. It starts measuring with the footfall that it belongs to, takes its folder off the
program's path, and then imports the program's own `sitecustomize`. Any Python may get here, of whatever version.
"""

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _start():
    # type: () -> None
    import _frozen_importlib
    import _frozen_importlib_external

    if "footfall" not in sys.modules:
        package = os.path.dirname(os.path.dirname(_FOLDER))
        spec = _frozen_importlib_external.spec_from_file_location(
            "footfall", os.path.join(package, "__init__.py"), submodule_search_locations=[package]
        )
        _frozen_importlib._load(spec)  # type: ignore[attr-defined]
    __import__("footfall.observe.start")


sys.path[:] = [folder for folder in sys.path if folder != _FOLDER]
sys.path_importer_cache.pop(_FOLDER, None)
_is_new_enough = hasattr(sys, "exception")  # since Python 3.11
if _is_new_enough and os.environ.get("FOOTFALL_RUN") and "footfall.observe.start" not in sys.modules:
    try:
        _start()
    except Exception as error:  # any failure of ours must leave the program as it is
        if sys.stderr is not None:  # it may be closed
            sys.stderr.write("footfall: not measured: " + repr(error) + ". [start-failed]\n")
_self = sys.modules.pop(__name__)  # kept: Python 2 clears the globals of a module that nothing refers to
__import__(__name__)  # if there is none, `site` expects the ImportError of that
