"""`run --native`: what it costs at 1 kHz, and whether shares of C functions are right.

    python bench/native.py [--only cost|shares] [--pairs 100] [--seconds 6]

Run it by a CPython (3.12 or later) that has footfall installed, with a C compiler; numpy is left out if it is not
installed. Each measurement is a process of its own.

cost    CPU of fixed work, the process's and the working thread's, as ratios to the same work without a sampler: one
        process, in pairs of turns of about a quarter of a second whose order is drawn. The mean of the ratios' middle
        half, and its standard error. `--precise` without C functions stands beside it.
shares  C functions that take known shares of a thread's CPU time: two of an extension, one of which calls the other, as
        numbers of equal steps; and two operations of numpy, by the thread's CPU clock. The deviation of each share in
        binomial standard errors, of as many samples as there were and of as many equal ones as they were worth: a
        sample counts for the CPU time since the one before, and where the sampler is woken late that differs.
"""

import argparse
import importlib.util
import json
import math
import pathlib
import statistics
import subprocess
import sys
import sysconfig
import tempfile
from typing import Any

_EXTENSION = r"""
#include <Python.h>
static volatile double sink;
/* Each step waits for the one before it, so all take the same time. */
#define SPIN(value, steps) for (long i = 0; i < (steps); i++) (value) = (value) * 0.9999999 + 1e-9
__attribute__((noinline)) double spin_inner(double value, long steps) {
    SPIN(value, steps);
    sink = value;
    return value;
}
__attribute__((noinline)) double spin_outer(double value, long steps, long inner) {
    SPIN(value, steps);
    value += spin_inner(value, inner);
    sink = value;
    return value + 1;
}
static PyObject *spin(PyObject *module, PyObject *args) {
    long outer, inner;
    return PyArg_ParseTuple(args, "ll", &outer, &inner) ? PyFloat_FromDouble(spin_outer(1.5, outer, inner)) : NULL;
}
static PyObject *call(PyObject *module, PyObject *function) { return PyObject_CallNoArgs(function); }
static PyMethodDef methods[] = {
    {"spin", spin, METH_VARARGS, ""}, {"call", call, METH_O, ""}, {NULL, NULL, 0, NULL},
};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, "spinning", "", -1, methods, NULL, NULL, NULL, NULL};
PyMODINIT_FUNC PyInit_spinning(void) { return PyModule_Create(&definition); }
"""

_PRELUDE = """
import json, os, random, sys, time
from footfall import _core
from footfall.analyze.profile.calltree import profile_of_logs
from footfall.record.run.sample_log import read_sample_log
path, argument, native = sys.argv[1], float(sys.argv[2]), sys.argv[3] == "native"
def start():
    _core.sampler_start(path, 1_000_000, precise=True, native=native)
def stop():
    stats = _core.sampler_stats()
    _core.sampler_stop()
    return stats
"""

_COST = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def turn(is_sampled):
    if is_sampled: start()
    own, all_ = time.thread_time(), time.process_time()
    work()
    found = dict(own=time.thread_time() - own, all=time.process_time() - all_)
    if is_sampled:
        found["samples"] = stop()["samples"]
        os.unlink(path)
    return found
work()
pairs = []
for _ in range(int(argument)):
    order = random.sample((False, True), 2)
    found = {is_sampled: turn(is_sampled) for is_sampled in order}
    pairs.append((found[False], found[True]))
print(json.dumps(pairs))
"""

_WORK = {
    "a recursion": "def work(): fib(31)\n",
    "C and Python calling each other": "import spinning\n"
    "def down(n): return spinning.call(lambda: down(n - 1)) if n else spinning.spin(20_000, 40_000)\n"
    "def work():\n    for _ in range(800): down(5)\n",
    "numpy": "import numpy\nlarge = numpy.arange(20_000, dtype=float)\n"
    "def work():\n    for _ in range(3_000): numpy.sort(large), large.sum(), numpy.sqrt(large)\n",
}

_SHARES_EXTENSION = """
import spinning
start()
end = time.thread_time() + argument
while time.thread_time() < end:
    spinning.spin(30_000, 90_000)
stop()
truth = {"spin_outer": 0.25, "spin_inner": 0.75}
"""

_SHARES_NUMPY = """
import numpy
rng = numpy.random.default_rng(1)
shuffled, large = rng.random(50_000), rng.random(400_000)
taken = {"sort": 0.0, "power": 0.0}
def sort():
    begin = time.thread_time()
    shuffled.copy().sort()
    taken["sort"] += time.thread_time() - begin
def power():
    begin = time.thread_time()
    numpy.power(large, 1.7, out=out)
    taken["power"] += time.thread_time() - begin
out = large.copy()
start()
end = time.thread_time() + argument
while time.thread_time() < end:
    sort(); power()
stop()
truth = {name: spent / sum(taken.values()) for name, spent in taken.items()}
"""

_SEEN = """
log = read_sample_log(path)
profile = profile_of_logs([log])
seen, without = dict.fromkeys(truth, 0), 0
for (node, _, _), cost in profile.costs.items():
    names = []
    while node > 0:
        names.append(profile.frames[profile.nodes[node].frame].function.qualname)
        node = profile.nodes[node].parent
    natives = [name for name in names if name.startswith("<native>")]
    # the youngest C function if that is one of those, else the Python function that called it
    found = next((each for each in (natives[0].split()[1] if natives else "", *names) if each in truth), None)
    if found and natives:
        seen[found] += cost.cpu_ns
    elif found:
        without += cost.cpu_ns
weights = [sample.cpu_ns for sample in log.samples if sample.cpu_ns]
worth = sum(weights) ** 2 / sum(weight ** 2 for weight in weights)
print(json.dumps(dict(truth=truth, seen=seen, without=without, samples=len(weights), worth=worth)))
"""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=("cost", "shares"))
    parser.add_argument("--pairs", type=int, default=100, help="of turns, for the cost (default 100)")
    parser.add_argument("--seconds", type=float, default=6, help="of CPU, for the shares (default 6)")
    options = parser.parse_args()
    programs = ["extension", *(["numpy"] if importlib.util.find_spec("numpy") else [])]
    with tempfile.TemporaryDirectory(prefix="footfall-native-") as name:
        directory = pathlib.Path(name)
        _build(directory)
        if options.only != "shares":
            for work, code in _WORK.items():
                if work != "numpy" or "numpy" in programs:
                    for mode in ("native", "precise"):
                        _print_cost(f"{work}, {mode}", _run(directory, code + _COST, options.pairs, mode))
        if options.only != "cost":
            for program in programs:
                code = _SHARES_EXTENSION if program == "extension" else _SHARES_NUMPY
                _print_shares(program, _run(directory, code + _SEEN, options.seconds, "native"))


def _build(directory: pathlib.Path) -> None:
    (directory / "spinning.c").write_text(_EXTENSION)
    flags = ["-O2", "-fomit-frame-pointer", "-fPIC", "-shared", "-I" + sysconfig.get_path("include")]
    subprocess.run(["cc", *flags, "spinning.c", "-o", "spinning.so"], cwd=directory, check=True)


def _run(directory: pathlib.Path, code: str, argument: float, mode: str) -> Any:
    """Return what a program says in its last line, as JSON."""
    (directory / "program.py").write_text(_PRELUDE + code)
    command = [sys.executable, "program.py", "a.smp", str(argument), mode]
    done = subprocess.run(command, cwd=directory, stdout=subprocess.PIPE, text=True, check=True)
    (directory / "a.smp").unlink(missing_ok=True)
    return json.loads(done.stdout.splitlines()[-1])


def _print_cost(title: str, pairs: list) -> None:
    text = []
    for clock in ("own", "all"):
        ratios = sorted(sampled[clock] / bare[clock] for bare, sampled in pairs)
        middle = ratios[len(ratios) // 4 : len(ratios) - len(ratios) // 4]
        error = statistics.stdev(middle) / math.sqrt(len(middle)) if len(middle) > 1 else 0.0
        text.append(f"{clock} {statistics.mean(middle):.3f}x +-{error:.3f}")
    rate = sum(sampled["samples"] for _, sampled in pairs) / sum(sampled["own"] for _, sampled in pairs)
    print(f"cost    {title:44} {'  '.join(text)}  {rate:.0f} samples per second of CPU", flush=True)


def _print_shares(program: str, found: dict) -> None:
    total = sum(found["seen"].values())
    for name, share in found["truth"].items():
        seen = found["seen"][name] / total
        one = math.sqrt(share * (1 - share))
        errors = [abs(seen - share) / (one / math.sqrt(found[of])) for of in ("samples", "worth")]
        print(
            f"shares  {program:10} {name:12} true {share:.4f}  seen {seen:.4f}  {errors[0]:.1f} standard errors of "
            f"{found['samples']} samples, {errors[1]:.1f} of {found['worth']:.0f} equal ones"
        )
    print(f"shares  {program:10} without a C function: {found['without'] / (total + found['without']):.2%}", flush=True)


if __name__ == "__main__":
    main()
