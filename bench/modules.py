"""Standard library modules under their own tests: footfall's coverage against that of coverage.py's C tracer.

    python bench/modules.py                            this interpreter
    python bench/modules.py --python python3.14 --tests /usr/lib/python3.13/test    where it has no tests of its own
    python bench/modules.py --slow                     with tests that take long
    python bench/modules.py --test json --test ast

The library and its tests are copied into a work directory, and a program loads them from there, anew, after both
tools have begun: what a tool imports for itself is not among the files compared. Each batch of tests runs under
`footfall run` and under `COVERAGE_CORE=ctrace coverage run --branch`, and what `footfall json` says is held to what
`coverage json` says: lines executed, missing and excluded, branches taken and missing. Where they differ the C tracer
runs once more: what its two runs do not agree on is unstable by itself and listed apart. The interpreter needs footfall
and coverage.py. Tests that fail are no matter: they run their lines in all runs. Tests that set a trace function of
their own are left out and named: the C tracer misses returns, and then takes one frame for another. So are those that
fail under one tool only, since they take another way. A batch whose run does not end well is tried again in halves.
Exit status 1 when a file differs, tests could not be run, or some fail under footfall alone.

PyPy has no C tracer: there it is coverage.py's Python tracer, which is not right everywhere (docs/exactness.md), so
that its differences are to be looked at rather than to be none.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field

from arguments import interpreter_path
from differences import differences, ranges
from projects import clean_environment

# Of modules in Python, that neither start many processes nor take the trace function away (the C tracer's: bdb,
# doctest, trace), nor stop a server in a thread (robotparser: how far that gets is chance). Not every version has every
# one. The first two load most modules and all encodings; the cheapest come first.
TESTS = """
    __all__ codecs charmapcodec abc base64 cmd codeop colorsys copyreg csv contextlib contextlib_async fileinput
    fnmatch fractions genericpath getopt getpass gettext graphlib hmac html htmlparser keyword linecache minidom
    pulldom sax xml_dom_minicompat urllib_response unittest.test_loader unittest.test_result unittest.test_suite
    asyncio.test_queues asyncio.test_timeouts asyncio.test_protocols asyncio.test_transports asyncio.test_pep492
    asyncio.test_runners email.test_headerregistry email.test_policy email.test_generator email.test_parser
    email.test_contentmanager email.test_utils importlib.test_abc wsgiref filecmp codecencodings_cn
    codecencodings_hk codecencodings_iso2022 codecencodings_jp codecencodings_kr codecencodings_tw argparse
    collections configparser copy dataclasses difflib enum functools glob heapq http_cookiejar json xml_etree
    urlparse urllib unittest.test_case unittest.test_skipping unittest.testmock.testmock asyncio.test_locks
    asyncio.test_streams email.test_email email.test_message importlib.test_util importlib.resources.test_resource
    importlib.resources.test_files importlib.resources.test_path tomllib ctypes listcomps locale mimetypes
    modulefinder netrc ntpath nturl2path numeric_tower opcodes operator optparse ordered_dict patma pickletools
    pkgutil plistlib pprint pstats pyclbr queue quopri re reprlib rlcompleter sched secrets shlex shutil
    sqlite3.test_dbapi sqlite3.test_types stat string stringprep strptime symtable tabnanny textwrap timeit
    traceback types typing uuid wave weakset with zipapp dbm_dumb concurrent_futures.test_future pyrepl.test_reader
    pyrepl.test_input pyrepl.test_keymap pyrepl.test_utils sysconfig platform py_compile webbrowser imghdr sndhdr
    sunau chunk aifc cgi pipes uu xdrlib telnetlib userdict userlist userstring decorators generators
    exception_group except_star named_expressions asyncgen annotationlib type_params type_aliases
    future_stmt.test_future ipaddress gzip zipimport
""".split()

# Those that compute or wait for long, or look at bytecode.
SLOW_TESTS = """
    asyncio.test_futures hashlib ast unittest.test_async_case logging xmlrpc calendar asyncio.test_taskgroups
    http_cookies lib2to3.test_fixers lib2to3.test_parser lib2to3.test_pytree lib2to3.test_util zoneinfo tokenize
    mailbox zipfile ftplib poplib weakref shelve pathlib tempfile lzma bz2 turtle pydoc inspect code dis
""".split()

# What every program has loaded before it starts, and what the program that loads the rest stands on: it stays.
_KEPT = """
    abc builtins codecs encodings encodings.utf_8 importlib importlib.machinery importlib.util io marshal ntpath os
    posix posixpath site stat sys time types warnings zipimport genericpath threading _weakrefset weakref atexit signal
    locale
""".split()

_PROGRAM = """\
import importlib
import os
import sys
tracer = sys.gettrace()
__loader__ = __spec__ = None  # that of `coverage run` has no source, which linecache looks for
library, results, first, left_out, *names = sys.argv[1:]
left_out = set(left_out.split(","))
kept = {{*{kept!r}, "__main__", "sitecustomize", "usercustomize", "footfall", "coverage"}}
# What one tool has imported may have left its mark (on C types, say): so both import it first. And `_sre` keeps the
# function that makes templates of the first `re` that asked for one.
for name in [*{kept!r}, *first.split(",")]:
    importlib.import_module(name)
importlib.import_module("re").sub("(a)", r"\\1", "a")
for name in list(sys.modules):
    top = name.partition(".")[0]
    if top not in kept and (getattr(sys.modules[name], "__file__", "") or "").endswith(".py"):
        del sys.modules[name]
sys.path[:0] = [library]
# The package of the encodings stays; its modules are loaded anew, from the copy.
encodings = sys.modules["encodings"]
encodings.__path__ = [os.path.join(library, "encodings")]
for name in [name for name in sys.modules if name.startswith("encodings.") and name not in kept]:
    del sys.modules[name]
encodings._cache.clear()
import random
random.seed(0)
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background of a shell ignores
import unittest
# With debug on, asyncio logs callbacks that took long: the machine's and the tool's business.
from asyncio import base_events
base_events.BaseEventLoop.slow_callback_duration = property(lambda loop: 1e9, lambda loop, seconds: None)
suite = unittest.TestSuite()
# Who sets another trace function: not the C tracer itself, threads that it has asked to, or who sets it again.
tracing_test = None
tracing = set()
is_same = is_coming_back = False
own = (os.sep + "coverage" + os.sep, os.sep + "threading.py")
original_settrace = sys.settrace
def settrace(function):
    global is_same, is_coming_back
    is_same = function is tracer
    is_coming_back = is_same and tracer is not None  # set again as a function, it puts itself in C again when called
    original_settrace(function)
    is_same = False
sys.settrace = settrace
def hook(event, arguments):
    global is_coming_back
    if event == "sys.settrace" and tracing_test and not is_same:
        frame = sys._getframe(1)
        name = (frame.f_back if frame.f_code is settrace.__code__ else frame).f_code.co_filename
        if own[0] in name or name.endswith(own[1]):
            return
        if is_coming_back:
            is_coming_back = False
        else:
            tracing.add(tracing_test)
sys.addaudithook(hook)
class Result(unittest.TextTestResult):
    def startTest(self, test):
        global tracing_test
        tracing_test = test.id()
        super().startTest(test)
    def stopTest(self, test):
        global tracing_test
        super().stopTest(test)
        tracing_test = None
def tests_of(each):
    return [each] if isinstance(each, unittest.TestCase) else [test for inner in each for test in tests_of(inner)]
for name in names:
    try:
        module = "test.test_" + name
        importlib.import_module(module)
        tests = tests_of(unittest.defaultTestLoader.loadTestsFromName(module))
        # How deep a recursion gets is the tool's own: tracing takes some of the stack, or does not end in time.
        suite.addTests([test for test in tests if "recurs" not in test.id().lower() and test.id() not in left_out])
    except (Exception, unittest.SkipTest) as error:
        print("cannot load", name, repr(error)[:150], file=sys.stderr)
with open(results, "w", buffering=1) as stream:
    outcome = unittest.TextTestRunner(stream, verbosity=2, resultclass=Result).run(suite)
    for name in sorted(tracing):
        print("TRACING:", name, file=stream)
    for test, _ in outcome.errors + outcome.failures:
        print("FAILED:", getattr(test, "test_case", test).id(), file=stream)  # the test of a subtest
    print(outcome.testsRun, len(outcome.errors), len(outcome.failures), len(outcome.skipped),
          *([] if sys.gettrace() is tracer or tracing else ["TRACE FUNCTION LOST"]), file=stream)
# What runs when the interpreter ends is not compared: footfall records it, `coverage run` has stopped.
if tracer is None:
    os._exit(0)
"""

_NOT_COPIED = ("site-packages", "dist-packages", "__pycache__", "lib-dynload", "idlelib", "sitecustomize.py")
_BATCH = 50
_SECONDS = 600

Files = dict[str, dict[str, object]]


def main() -> int:
    """Compare; print a line for each batch, the differences and the totals; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--python", type=interpreter_path, default=sys.executable, help="the interpreter (default: this one)"
    )
    parser.add_argument("--tests", help="the directory `test` of the library, where the interpreter has none")
    parser.add_argument(
        "--test", action="append", help="NAME of test.test_NAME; repeatable; default: a list of quick ones"
    )
    parser.add_argument("--slow", action="store_true", help="run the tests that take long as well")
    parser.add_argument("--batch", type=int, default=_BATCH, help=f"how many run in one process (default: {_BATCH})")
    parser.add_argument("--with-tests", action="store_true", help="measure and compare the tests' own files too (slow)")
    parser.add_argument("--work", help="directory for the copy and the data, kept (default: a temporary one, removed)")
    options = parser.parse_args()
    omitted = [] if options.with_tests else ["*/library/test/*", "*/tests/*", "*/unittest/test/*", "*/ctypes/test/*"]
    quick_and_slow = TESTS + (SLOW_TESTS if options.slow else [])
    names = [name.removeprefix("test_") for name in options.test or quick_and_slow]
    batches = [names[start : start + options.batch] for start in range(0, len(names), options.batch)]
    if options.work:
        return _compare(options.python, options.tests, pathlib.Path(options.work).resolve(), omitted, batches)
    with tempfile.TemporaryDirectory(prefix="footfall-modules-", ignore_cleanup_errors=True) as work:
        return _compare(options.python, options.tests, pathlib.Path(work).resolve(), omitted, batches)


@dataclass(slots=True)
class _Comparison:
    """What was compared so far, and what was found."""

    python: str
    library: pathlib.Path
    work: pathlib.Path
    first: list[str]
    omitted: list[str]
    core: str  # coverage.py's that is held to
    compared: set[str] = field(default_factory=set)
    differing: set[str] = field(default_factory=set)
    unstable_count: int = 0
    tests_left_out: set[str] = field(default_factory=set)
    failing_under_footfall: set[str] = field(default_factory=set)
    left_out: list[str] = field(default_factory=list)

    def compare(self, names: list[str]) -> None:
        """Run the tests under both tools and print what differs; in halves where a run does not end well."""
        theirs = self._run(self.core, names)
        ours = self._run("footfall", names) if theirs is not None else None
        if ours is None or theirs is None:
            if len(names) == 1:
                print(f"  left out: {names[0]}", flush=True)
                self.left_out += names
                return
            half = len(names) // 2
            for part in (names[:half], names[half:]):
                print(f"  again: {' '.join(part)}", flush=True)
                self.compare(part)
            return
        if not self._fail_alike():
            self.compare(names)
            return
        # Files that were never entered have nothing to compare.
        self.compared |= {file for file, found in theirs.items() if found["executed_lines"]}
        found = differences(ours, theirs)
        again = self._run(self.core, names) if found else None
        unstable = {(each.file, each.key) for each in differences(theirs, again)} if again is not None else set()
        for each in found:
            if (each.file, each.key) in unstable:
                self.unstable_count += 1
                continue
            self.differing.add(each.file)
            print(f"  {each.file}: {each.key}")
            if each.only_left:
                print(f"    footfall only: {ranges(each.only_left)}")
            if each.only_right:
                print(f"    {self.core} only: {ranges(each.only_right)}")
        modules = len(_modules(self.compared))
        print(f"  files so far {len(self.compared)} ({modules} modules), differ {len(self.differing)}", flush=True)

    def _fail_alike(self) -> bool:
        """Whether the same tests failed; those that did not took other ways: they are named and left out."""
        ours, theirs = (_named(self.work / f"results-{mode}", "FAILED: ") for mode in ("footfall", self.core))
        for tool, alone in (("footfall", ours - theirs), (self.core, theirs - ours)):
            if alone:
                print(f"  tests that fail under {tool} alone, left out: {' '.join(sorted(alone))}", flush=True)
        self.failing_under_footfall |= ours - theirs
        known = len(self.tests_left_out)
        self.tests_left_out |= ours ^ theirs
        return len(self.tests_left_out) == known

    def _run(self, mode: str, names: list[str]) -> Files | None:
        """Run once; once more where tests turn out to set a trace function, without these."""
        found, tracing = _run(self, mode, names)
        if tracing:
            self.tests_left_out |= tracing
            print(f"  tests that set a trace function, left out: {' '.join(sorted(tracing))}", flush=True)
            found, _ = _run(self, mode, names)
        return found


def _compare(python: str, tests: str | None, work: pathlib.Path, omitted: list[str], batches: list[list[str]]) -> int:
    work.mkdir(parents=True, exist_ok=True)
    library, first = _copy_library(python, tests, work), _imported_by_tools(python, work)
    core = "ctrace" if _implementation(python) == "cpython" else "pytrace"
    comparison = _Comparison(python, library, work, first, omitted, core)
    for number, batch in enumerate(batches, 1):
        print(f"{number} of {len(batches)}: {' '.join(batch)}", flush=True)
        comparison.compare(batch)
    if comparison.left_out:
        print(f"left out, for a run that did not end well: {' '.join(comparison.left_out)}")
    compared, modules = len(comparison.compared), len(_modules(comparison.compared))
    print(f"{python}: files compared {compared} ({modules} modules, the rest their tests), ", end="")
    print(f"differ {len(comparison.differing)} ", end="")
    print(f"(and {comparison.unstable_count} differences that two {core} runs show as well); ", end="")
    print(f"tests that fail under footfall alone {len(comparison.failing_under_footfall)}")
    return 1 if comparison.differing or comparison.left_out or comparison.failing_under_footfall else 0


def _modules(files: set[str]) -> set[str]:
    return {file for file in files if not {"test", "tests"} & set(pathlib.PurePath(file).parts)}


def _copy_library(python: str, tests: str | None, work: pathlib.Path) -> pathlib.Path:
    library = work / "library"
    if library.exists():
        return library
    show = "import os; print(os.path.dirname(os.__file__))"
    found = subprocess.run([python, "-c", show], env=clean_environment(), text=True, capture_output=True, check=True)
    patterns = shutil.ignore_patterns(*_NOT_COPIED)
    source = pathlib.Path(found.stdout.strip())

    def ignored(directory: str, names: list[str]) -> set[str]:
        # On 3.11 unittest and ctypes have a directory `test` of their own, which stays.
        return patterns(directory, names) | ({"test"} if pathlib.Path(directory) == source else set())

    shutil.copytree(source, library, ignore=ignored)
    skipped = shutil.ignore_patterns("__pycache__")
    # The interpreter's own test.support goes over that of another version's tests.
    for directory in ([tests] if tests else []) + [str(source / "test")]:
        shutil.copytree(directory, library / "test", ignore=skipped, symlinks=True, dirs_exist_ok=True)
    return library


def _implementation(python: str) -> str:
    command = [python, "-S", "-c", "import sys; print(sys.implementation.name)"]
    return subprocess.run(command, env=clean_environment(), text=True, capture_output=True, check=True).stdout.strip()


def _imported_by_tools(python: str, work: pathlib.Path) -> list[str]:
    """The standard library's modules that an empty program finds loaded under one tool or the other."""
    program = work / "empty.py"
    program.write_text(
        "import sys\nfor name, module in sorted(sys.modules.items()):\n"
        "    if name.partition('.')[0] in sys.stdlib_module_names and getattr(module, '__spec__', None):\n"
        "        print(name)\n"
    )
    names: set[str] = set()
    for tool in (["coverage", "run"], ["footfall", "run", "--quiet", "--no-profile", python]):
        command = [python, "-m", *tool[:2], f"--data-file={work / 'data'}", *tool[2:], str(program)]
        done = subprocess.run(command, env=clean_environment(), cwd=work, text=True, capture_output=True, check=True)
        names |= set(done.stdout.split())
    return sorted(names)


def _run(comparison: _Comparison, mode: str, names: list[str]) -> tuple[Files | None, set[str]]:
    """Run tests in one process; return the files of the tool's JSON report, or None, and the tests that trace."""
    python, library, work, omitted = comparison.python, comparison.library, comparison.work, comparison.omitted
    program, data, report, results = (work / name for name in ("program.py", "data", "report.json", f"results-{mode}"))
    program.write_text(_PROGRAM.format(kept=_KEPT), encoding="utf-8")
    for path in (data, report, results):
        path.unlink(missing_ok=True)
    if mode == "footfall":
        run, tool = [python, "-m", "footfall", "run", "--quiet", "--no-profile"], "footfall"
        command = [python, str(program)]
    else:
        # With `-m coverage` the stacks that tests print would begin with `<frozen runpy>`.
        run, tool = [python, str(pathlib.Path(python).with_name("coverage")), "run", "--branch"], "coverage"
        command = [str(program)]
    run += [f"--include={library}/*", f"--data-file={data}"]
    run += [f"--omit={','.join(omitted)}"] if omitted else []
    environment = clean_environment(PYTHON_COLORS="0", **({"COVERAGE_CORE": mode} if mode != "footfall" else {}))
    lists = [",".join(comparison.first), ",".join(sorted(comparison.tests_left_out))]
    scratch = tempfile.mkdtemp(dir=work)
    try:
        done = subprocess.run(
            [*run, *command, str(library), str(results), *lists, *names],
            cwd=scratch,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_SECONDS,
        )
    except subprocess.TimeoutExpired:
        print(f"  {mode}: did not end in time; {_last_line(results)}", flush=True)
        return None, set()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"  {mode}: status {done.returncode}; run, errors, failures, skipped: {_last_line(results)}", flush=True)
    if mode == "footfall":
        for line in done.stderr.splitlines():
            if line.startswith("cannot load"):
                print(f"    {line}")
    if done.returncode < 0 or "LOST" in _last_line(results):
        print(f"  {mode}: its data cannot be held to anything; {done.stderr[-600:]}")
        return None, set()
    tracing = _named(results, "TRACING: ")
    if tracing - comparison.tests_left_out:
        return None, tracing
    exported = subprocess.run(
        [python, "-m", tool, "json", "-q", "-i", f"--data-file={data}", "-o", str(report)],
        cwd=work,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    if not report.exists():
        print(done.stderr[-600:], exported.stderr[-600:])
        return None, set()
    files: Files = json.loads(report.read_text(encoding="utf-8"))["files"]
    return files, set()


def _lines(path: pathlib.Path) -> list[str]:
    return path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []


def _named(path: pathlib.Path, prefix: str) -> set[str]:
    return {line.removeprefix(prefix) for line in _lines(path) if line.startswith(prefix)}


def _last_line(path: pathlib.Path) -> str:
    return (_lines(path) or ["nothing"])[-1]


if __name__ == "__main__":
    sys.exit(main())
