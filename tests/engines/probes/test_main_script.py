"""How a main script with probes looks to itself and ends: as without measuring."""

import pytest

from engines import Engine, Measured, each_engine, measured  # noqa: F401, a fixture

_SCRIPT = """
    import atexit, inspect, os, sys, threading
    def tell_names():
        print(sorted(globals()), sys.exc_info(), flush=True)
    atexit.register(tell_names)
    print([frame[1:4] for frame in inspect.stack()], sys._getframe().f_back, locals() is globals())
    print(__spec__, __file__ == sys._getframe().f_code.co_filename, sys.gettrace(), sys._getframe().f_trace)
    def fall(n):
        if n:  # both
            return fall(n - 1)
        print(len(inspect.stack()))
    fall(2)
    seen = []
    def trace(frame, event, argument):
        seen.append((event, frame.f_code.co_name))
    sys.settrace(trace)
    fall(0)
    sys.settrace(None)
    print(seen[0], flush=True)
    if not os.fork():
        sys.exit(3)  # any
    print(os.waitstatus_to_exitcode(os.wait()[1]))
    threading.Timer(0.05, print, ["late"]).start()
    end = sys.argv[1]
    if end == "error":  # both
        fall(end)
    if end == "exhausted":  # both
        next(iter([]))
    if end == "interrupt":  # both
        raise KeyboardInterrupt
    if end == "status":  # both
        sys.exit(7)
    if end == "message":  # both
        sys.exit("bye")
"""


@each_engine
def test_a_main_script_runs_and_ends_as_without_measuring(measured: Measured, engine: Engine) -> None:  # noqa: F811
    """It is in the outermost frame, nothing traces it, and output, tracebacks and the exit status are the same."""
    if engine.name != "probes":
        pytest.skip("the other engines leave the script as it is")
    for end in "last line", "error", "exhausted", "interrupt", "status", "message":
        done = measured.run(_SCRIPT, "main.py", end)
        bare = measured.run_bare("main.py", end)
        assert (done.returncode, done.stdout, done.stderr) == (bare.returncode, bare.stdout, bare.stderr)
    measured.check_marks()
