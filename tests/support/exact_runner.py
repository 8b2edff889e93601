"""Imports every program of a directory, one after the other, and writes what each computed.

Runs in a process of its own: measured by whatever its environment selects, or by coverage.py's C tracer.

    python tests/support/exact_runner.py DIRECTORY RESULTS [ARCS [contexts | N]]

With ARCS ("": without) the C tracer measures, and its arcs are written there. With `contexts` the programs have a
function `_switch` that begins a context in whatever measures, and the arcs are written by label. With N, each of N
threads runs all programs. Imports little: it runs inside measured processes.
"""

import gc
import marshal
import os
import sys

_freeze = getattr(gc, "freeze", None)  # PyPy has none


def run_programs(directory):
    """Return {name: the program's RESULT, or the exception that ended it, as text}."""
    sys.path.insert(0, directory)
    sys.unraisablehook = lambda _: None  # generators that fail while they are closed
    names = sorted(name[:-3] for name in os.listdir(directory) if name.endswith(".py"))
    results = {}
    for name in names:
        try:
            results[name] = repr(getattr(__import__(name), "RESULT", None))
        except Exception as error:
            results[name] = repr(error)
        gc.collect()  # what only cycles keep alive ends now, whatever measures
        gc.collect()
        if _freeze is not None:
            _freeze()  # so that the collections of later programs need not traverse what stays
    return results


def run_in_threads(directory, n_threads):
    """Return the same of N threads, each of which begins with another program; they must agree."""
    import importlib.util
    import threading

    sys.unraisablehook = lambda _: None
    names = sorted(name[:-3] for name in os.listdir(directory) if name.endswith(".py"))
    found = [{} for _ in range(n_threads)]
    begin = threading.Barrier(n_threads)

    def run(number):
        first = len(names) * number // n_threads
        begin.wait()
        for name in names[first:] + names[:first]:
            spec = importlib.util.spec_from_file_location(name, f"{directory}/{name}.py")
            module = importlib.util.module_from_spec(spec)
            try:
                spec.loader.exec_module(module)
                found[number][name] = repr(getattr(module, "RESULT", None))
            except Exception as error:
                found[number][name] = repr(error)
            del module
            gc.collect()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(n_threads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {name: "|".join(sorted({results[name] for results in found})) for name in names}


def provide_switch(tracer):
    """Give the programs the function that begins a context."""
    import builtins

    if tracer is not None:
        builtins._switch = tracer.switch_context
    else:
        from footfall.observe.contexts import switch

        builtins._switch = switch


def read_arcs(data, path):
    """Return a file's arcs by label; "" is what ran in no context."""
    found = {}
    for label in data.measured_contexts():
        data.set_query_context(label)
        arcs = sorted(data.arcs(path) or ())
        if arcs:
            found[label] = arcs
    data.set_query_contexts(None)
    return found


def main(directory, results_path, arcs_path="", mode=""):
    """Run the programs, under the C tracer if there is a path for its arcs."""
    import warnings

    warnings.simplefilter("ignore")
    tracer = None
    if arcs_path:
        import coverage

        tracer = coverage.Coverage(branch=True, data_file=None, config_file=False, include=[directory + "/*"])
        tracer.set_option("run:core", "ctrace")
        tracer.start()
    if mode == "contexts":
        provide_switch(tracer)
    results = run_in_threads(directory, int(mode)) if mode.isdecimal() else run_programs(directory)
    if tracer is not None:
        tracer.stop()
        data = tracer.get_data()
        read = read_arcs if mode == "contexts" else lambda data, path: sorted(data.arcs(path) or ())
        arcs = {os.path.basename(path)[:-3]: read(data, path) for path in data.measured_files()}
        with open(arcs_path, "wb") as file:
            marshal.dump(arcs, file)
    with open(results_path, "wb") as file:
        marshal.dump(results, file)
    # coverage.py ends before the interpreter tears down its modules, which closes what they contain; footfall never
    # ends.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
