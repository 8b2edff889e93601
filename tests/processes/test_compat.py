"""`footfall.compat` beside coverage.py: the same programs with either, and the same output."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

LIBRARY = """\
import threading

def choose(x):
    if x > 3:
        return "big"
    for _ in range(x):
        pass
    return "small"

def in_thread(x):
    thread = threading.Thread(target=choose, args=(x,))
    thread.start()
    thread.join()

def steps():
    yield 1
    yield 2

class Cart:
    def __init__(self):
        self.n = 0

    def debug(self):  # pragma: no cover
        return self.n

    def add(self, n):
        while n:
            self.n += 1
            n -= 1
"""

BEGIN = """\
import contextlib, importlib, io, json, os, sys, warnings
coverage = importlib.import_module(sys.argv[1])
warnings.simplefilter("ignore")

def shown(path):
    return os.path.basename(path)

def show(data):
    for path in sorted(data.measured_files()):
        arcs = data.arcs(path) if data.has_arcs() else None
        by_line = {line: sorted(labels) for line, labels in sorted(data.contexts_by_lineno(path).items())}
        print(shown(path), arcs and sorted(arcs), sorted(data.lines(path)), by_line)
    print(sorted(data.measured_contexts()), data.has_arcs(), bool(data))

def attempt(call, *args, **named):
    try:
        print(call(*args, **named))
    except coverage.CoverageException as error:
        print(type(error).__name__)

def reports(cov):
    print(cov.report(show_missing=True))
    print(round(cov.report(sort="-cover", output_format="markdown", precision=2, file=sys.stdout), 3))
    text = io.StringIO()
    cov.report(file=text, skip_covered=True)
    print(text.getvalue())
    cov.json_report(outfile="out.json", show_contexts=True)
    report = json.load(open("out.json"))
    report.pop("meta")
    print(json.dumps(report, sort_keys=True))
    print(cov.xml_report(outfile="out.xml"), cov.lcov_report(outfile="out.lcov"))
    print(open("out.lcov").read())
    print([line for line in open("out.xml") if "<line " in line or "<class " in line])
    cov.annotate(directory="notes")
    print(sorted(open(os.path.join("notes", name)).read() for name in os.listdir("notes")))
    import lib
    print([cov.analysis2(each)[1:] for each in (lib, lib.__file__)], cov.analysis("lib.py")[1:], sorted(cov.branch_stats("lib.py").items()))
"""

PROGRAMS = {
    "contexts of test functions": """
        cov = coverage.Coverage(data_file=None, branch=True)
        cov.set_option("run:dynamic_context", "test_function")
        cov.start()
        import lib
        def test_one():
            return lib.choose(1)
        def test_two():
            lib.in_thread(0)
        test_one()
        test_two()
        lib.choose(5)
        cov.stop()
        test_one()
        show(cov.get_data())
    """,
    "the whole of a run in memory": """
        cov = coverage.Coverage(data_file=None, branch=True)
        cov.start()
        import lib
        def own(x):
            return lib.choose(x)
        own(1)
        lib.Cart().add(2)
        if own(5):
            lib.in_thread(0)
        cov.stop()
        lib.steps()
        show(cov.get_data())
        reports(cov)
        print(os.path.exists(".coverage"))
    """,
    "lines alone, of what was imported before": """
        import lib
        with_steps = lib.steps()
        cov = coverage.Coverage(source=["."])
        with cov.collect():
            print(coverage.Coverage.current() is cov, cov.get_option("run:branch"))
            lib.choose(2)
        print(coverage.Coverage.current())
        cov.save()
        show(cov.get_data())
        print(cov.report())
        again = coverage.Coverage()
        again.load()
        show(again.get_data())
        reports(again)
        again.erase()
        print(os.path.exists(".coverage"), bool(again.get_data()))
    """,
    "an empty package, with branches": """
        os.mkdir("package")
        open("package/__init__.py", "w").close()
        open("package/module.py", "w").write("a = 1")
        cov = coverage.Coverage(source=["package"], branch=True, data_file=None)
        with cov.collect():
            import package.module
        print(cov.report())
        show(cov.get_data())
    """,
    "a file of which only the function runs that begins and ends measuring": """
        open("begin.py", "w").write("def measured(cov, call):\\n    cov.start()\\n    call()\\n    cov.stop()\\n    return cov")
        import begin, lib
        for branch in (True, False):
            cov = coverage.Coverage(data_file=None, branch=branch, include=["*/begin.py", "*/lib.py"])
            begin.measured(cov, lambda: lib.choose(1))
            print(sorted(map(shown, cov.get_data().measured_files())))
    """,
    "contexts by name and by function": """
        cov = coverage.Coverage(data_file=None, include=["*/lib.py"])
        cov.set_option("run:dynamic_context", "test_function")
        cov.start()
        import lib
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            cov.switch_context("one")
            cov.switch_context("two")
        cov.stop()
        print([str(each.message).partition(";")[0] for each in caught])
    """,
    "a report leaves the data file, without a save": """
        cov = coverage.Coverage(source=["."])
        with cov.collect():
            import lib
            lib.choose(5)
        cov.report()
        print(os.path.exists(".coverage"))
        again = coverage.CoverageData()
        again.read()
        show(again)
    """,
    "sources that are gone, and errors that are ignored": """
        open("gone.py", "w").write("a = 1")
        open("bad.py", "w").write("a = = 1")
        cov = coverage.Coverage(messages=True)
        cov.get_data().add_lines({os.path.abspath(name): [1] for name in ("gone.py", "bad.py")})
        os.remove("gone.py")
        warnings.simplefilter("always")
        def failing(call, **named):
            with warnings.catch_warnings(record=True) as caught:
                attempt(lambda: float(call(ignore_errors=True, **named)))
            print([str(each.message).partition(": [Errno")[0].partition(": No source")[0].partition(" (")[0] for each in caught])
        for name in ("gone.py", "bad.py"):
            try:
                cov.report(morfs=[name])
            except coverage.CoverageException as error:
                print(type(error).__name__, str(error).partition("'.")[0].partition(" at line 1")[0])
            failing(cov.report, morfs=[name])
            failing(cov.xml_report, morfs=[name], outfile=name + ".xml")
            print(os.path.exists(name + ".xml"))
        failing(cov.json_report, outfile="out.json")
        print(json.load(open("out.json"))["files"])
        print(sorted(dict(cov.sys_info()).keys() & {"data_file", "cwd", "config_file", "python"}))
    """,
    "contexts, and data looked at while measuring goes on": """
        import lib
        cov = coverage.Coverage(branch=True, context="static", include="*/lib.py")
        cov.start()
        print(cov.switch_context("one"))
        lib.choose(1)
        print(cov.switch_context("two"))
        lib.choose(9)
        show(cov.get_data())
        lib.Cart().add(1)
        show(cov.get_data())
        cov.stop()
        lib.choose(0)
        cov.start()
        list(lib.steps())
        cov.switch_context("")
        lib.choose(0)
        cov.stop()
        data = cov.get_data()
        show(data)
        data.set_query_context("static|one")
        show(data)
        data.set_query_contexts(["two$", "nothing"])
        show(data)
        print(cov.analysis2("lib.py")[3])
        data.set_query_contexts(None)
        print(cov.report(contexts=["one"]), cov.report(contexts=["st"]))
        attempt(data.set_query_contexts, ["("])
        attempt(cov.switch_context, "late")
    """,
    "data of a plugin's files looked at again and again in one context": """
        class Pages(coverage.CoveragePlugin, coverage.FileTracer):
            def file_tracer(self, filename):
                return self if filename.endswith("lib.py") else None
            def source_filename(self):
                return os.path.abspath("lib.page")
            def line_number_range(self, frame):
                return 1, 2
        cov = coverage.Coverage(data_file=None, include="*/lib.page", plugins=[lambda registry: registry.add_file_tracer(Pages())])
        cov.start()
        cov.switch_context("one")
        import lib
        for _ in range(3):
            lib.choose(1)
            show(cov.get_data())
        cov.stop()
        print(sorted(cov.get_data().measured_contexts()))
    """,
    "start and stop around each operation, with the data erased between": """
        cov = coverage.coverage(branch=True, source=["lib"])
        cov._warn_no_data = False
        cov.start(); import lib; cov.stop()
        for operation in (lambda: lib.choose(1), lambda: lib.choose(5), lambda: lib.choose(1), list):
            cov.erase()
            cov.start()
            operation()
            cov.stop()
            print(sorted(cov.get_data().arcs(lib.__file__) or ()))
        cov.start()
        lib.choose(5)
        data = cov.get_data()
        data.erase()
        lib.choose(5)
        show(cov.get_data())
    """,
    "one inside another": """
        import lib
        outer = coverage.Coverage(data_file=None, branch=True, include=["*/lib.py"])
        inner = coverage.Coverage(data_file=None, include=["*/lib.py"])
        outer.start()
        lib.choose(0)
        inner.start()
        lib.choose(9)
        print(coverage.Coverage.current() is inner)
        inner.stop()
        print(coverage.Coverage.current() is outer)
        list(lib.steps())
        outer.stop()
        show(outer.get_data())
        show(inner.get_data())
        os.makedirs("below")
        sys.path.append(os.getcwd())
        os.chdir("below")
        print(inner.analysis2("lib.py")[1:])
        inner.report(["lib.py"])
        inner.report()
    """,
    "warnings": """
        def warned(**named):
            cov = coverage.Coverage(data_file=None, **named)
            with cov.collect():
                sum([1])
            cov.get_data()
            print([text.partition(" [")[0].partition(" (")[0] for text in cov._warnings])
        import lib
        warned(source=["sys", "nowhere", "lib"])
        warned(include=["*/nothing.py"])
        warned(include=["*/lib.py"], check_preimported=True)
        os.makedirs("spaced")
        import spaced
        warned(source_pkgs=["spaced"])
    """,
    "files combined": """
        import lib
        for n in (1, 5):
            cov = coverage.Coverage(branch=True, data_suffix=True, include=["*lib.py"], context=f"run {n}")
            cov.start(); lib.choose(n); cov.stop(); cov.save()
        print(len([name for name in os.listdir(".") if name.startswith(".coverage.")]), os.path.exists(".coverage"))
        cov = coverage.Coverage()
        cov.combine(keep=True)
        show(cov.get_data())
        cov.combine(strict=True)
        cov.save()
        print([name for name in os.listdir(".") if name.startswith(".coverage.")])
        whole = coverage.CoverageData()
        whole.read()
        show(whole)
        attempt(coverage.Coverage().combine, strict=True)
        lines = coverage.Coverage(data_suffix="lines", include=["*lib.py"])
        lines.start(); lib.choose(1); lines.stop(); lines.save()
        cov = coverage.Coverage()
        cov.load()
        attempt(cov.combine, ["."], strict=True)
        print(os.path.exists(".coverage.lines"))
    """,
    "nothing to report": """
        cov = coverage.Coverage()
        for call in (cov.report, cov.html_report, cov.xml_report, cov.json_report, cov.lcov_report):
            attempt(call)
        attempt(cov.analysis2, "nowhere.py")
        attempt(cov.get_option, "run:nothing")
        attempt(cov.set_option, "run:nothing", 1)
        attempt(coverage.Coverage, config_file="nowhere.ini")
        open("bad.ini", "w").write("[run]\\nbranch = perhaps\\n")
        attempt(coverage.Coverage, config_file="bad.ini")
        print(coverage.process_startup(), coverage.version_info[0], coverage.Coverage.current())
    """,
    "settings and exclusions": """
        open("own.ini", "w").write("[run]\\nbranch = true\\n[report]\\nexclude_also = return .big.\\nprecision = 1\\n")
        cov = coverage.Coverage(data_file=None, config_file="own.ini", include=["*lib.py"])
        print([cov.get_option(name) for name in ("run:branch", "report:precision", "report:exclude_also", "run:include")])
        cov.start(); import lib; lib.choose(1); cov.stop()
        print(cov.get_exclude_list(), cov.analysis2(lib)[1:])
        cov.exclude("while n")
        print(cov.analysis2(lib)[1:])
        cov.clear_exclude()
        print(cov.get_exclude_list(), cov.analysis2(lib)[1:])
        cov = coverage.Coverage(data_file=None, config_file=False, include=["*lib.py"])
        cov.set_option("report:exclude_lines", ["def steps"])
        cov.set_option("report:show_missing", True)
        cov.start(); lib.choose(1); cov.stop()
        print(cov.analysis2(lib)[1:], cov.report())
    """,
    "settings that change after the first start": """
        import lib
        cov = coverage.Coverage(data_file=None, config_file=False, include=["*/lib.py"], context="first")
        def measure(x):
            cov.start(); cov.switch_context("t"); lib.choose(x); cov.stop()
            show(cov.get_data())
        measure(1)
        for name, value in (("branch", True), ("omit", ["*/lib.py"]), ("include", ["*/none.py"]), ("context", "late")):
            cov.set_option("run:" + name, value)
        cov.config.run_include.append("*/others/*")
        os.mkdir("sub"); os.chdir("sub")
        measure(9)
        cov.erase()
        cov.set_option("run:omit", [])
        measure(0)
        cov.set_option("run:include", ["*/lib.py"])
        measure(0)
        cov.erase()
        measure(1)
    """,
    "data made by hand": """
        data = coverage.CoverageData("hand.data")
        data.add_lines({"/a.py": [1, 2], "/b.py": []})
        data.set_context("more")
        data.add_lines({"/a.py": {9}})
        data.touch_file("/c.py")
        attempt(data.add_arcs, {"/a.py": [(1, 2)]})
        show(data)
        data.write()
        print(shown(data.data_filename()), shown(data.base_filename()), data.file_tracer("/c.py"), data.file_tracer("/d.py"))
        print(data.lines("/d.py"), data.arcs("/d.py"), data.contexts_by_lineno("/d.py"))
        copy = coverage.CoverageData(no_disk=True)
        attempt(copy.touch_file, "/x.py")
        copy = coverage.CoverageData(no_disk=True)
        copy.loads(data.dumps())
        copy.update(data, map_path=lambda path: "/z" + path)
        copy.add_file_tracers({"/t.html": "templates"})
        attempt(copy.add_file_tracers, {"/t.html": "others"})
        page = coverage.CoverageData(no_disk=True)
        page.add_lines({"/t.html": [1]})
        page.add_file_tracers({"/t.html": "templates"})
        touched = coverage.CoverageData(no_disk=True)
        touched.add_lines({"/other.py": [1]})
        touched.touch_file("/t.html")
        page.update(touched)
        touched.update(page)
        print(page.file_tracer("/t.html"), touched.file_tracer("/t.html"), touched.lines("/t.html"))
        copy.purge_files(["/a.py"])
        show(copy)
        print(copy.file_tracer("/t.html"))
        arcs = coverage.CoverageData(no_disk=True)
        arcs.add_arcs({"/a.py": [(-1, 1), (1, -1)], "/none.py": []})
        attempt(arcs.update, data)
        show(arcs)
        attempt(copy.loads, b"nonsense")
        data.erase()
        print(os.path.exists("hand.data"), bool(data))
    """,
    "nothing to cover": """
        open("empty.py", "w").close()
        cov = coverage.Coverage(data_file=None, include=["empty.py"])
        with cov.collect():
            import empty
        show(cov.get_data())
        print(*map(float, (cov.report(), cov.json_report(), cov.lcov_report(), cov.xml_report(), cov.html_report())))
    """,
    "plugins": """
        open("render.py", "w").write('''if True:
            def render(name, line):
                text = [name]
                for each in line, line: text.append(each)
                yield text
                return helper(text)
            def helper(x):
                return x
        ''')
        open("pages.py", "w").write('''if True:
            import coverage
            class Pages(coverage.CoveragePlugin, coverage.FileTracer):
                def file_tracer(self, filename):
                    return self if filename.endswith("render.py") else None
                def has_dynamic_source_filename(self):
                    return True
                def dynamic_source_filename(self, filename, frame):
                    return frame.f_locals.get("name")
                def line_number_range(self, frame):
                    if frame.f_locals["line"] < 0:
                        raise ValueError("no line")
                    return frame.f_locals["line"], frame.f_locals["line"] + 1
                def dynamic_context(self, frame):
                    name = frame.f_code.co_name
                    return name if name == "choose" else None
                def configure(self, config):
                    config.set_option("report:exclude_lines", ["no page"])
                def file_reporter(self, filename):
                    return Page(filename)
                def find_executable_files(self, directory):
                    return [os.path.join(directory, "never.page")]
            class Page(coverage.FileReporter):
                def lines(self):
                    return {1, 2, 3, 4, 5}
            import os
            def add(registry):
                registry.add_file_tracer(Pages())
            def coverage_init(registry, options):
                add(registry)
                registry.add_dynamic_context(Pages())
                registry.add_configurer(Pages())
        ''')
        for page in "one.page", "two.page":
            open(page, "w").write("text\\n" * 5)
        import pages
        def render_all(*lines):
            import render
            for line in lines:
                list(render.render("one.page" if line < 3 else "two.page", line))
        settings = [{"plugins": [pages.add]}, {"plugins": [pages.add], "branch": True, "source": ["."]}, {"branch": True}]
        for number, named in enumerate(settings):
            cov = coverage.Coverage(data_file=None, omit=["program.py"], **named)
            if "plugins" not in named:
                cov.set_option("run:plugins", ["pages"])
            import lib
            with cov.collect():
                render_all(1, 4)
                lib.choose(1)
            render_all(2)
            with cov.collect():
                render_all(3)
            show(cov.get_data())
            print({shown(path): cov.get_data().file_tracer(path) for path in sorted(cov.get_data().measured_files())})
            attempt(cov.report, include=["*.page"], show_missing=True)
            print(cov.analysis2("one.page")[1:], cov.get_exclude_list())
            print(cov.json_report(include=["one.page"]), cov.xml_report(include=["*.page"]))
            names = ("plugins.file_tracers", "plugins.context_switchers")
            print([value for name, value in cov.sys_info() if name in names])
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                with cov.collect():
                    render_all(1, -1, 2)
                cov.get_data()
            print({warning.category.__name__ for warning in caught if "Disabling plug-in" in str(warning.message)})
            print([value for name, value in cov.sys_info() if name in names])
        # whichever kind of plugin the data name reports the file
        cov = coverage.Coverage(data_file=None, plugins=[lambda registry: registry.add_configurer(pages.Pages())])
        cov.get_data().add_lines({os.path.abspath("two.page"): [2, 3]})
        cov.get_data().add_file_tracers({os.path.abspath("two.page"): "None.Pages"})
        attempt(cov.report, show_missing=True)
        for name in "nowhere", "render":
            cov = coverage.Coverage(data_file=None)
            cov.set_option("run:plugins", [name])
            try:
                cov.start()
            except Exception as error:
                print(type(error).__name__, error, coverage.Coverage.current())
            cov.stop()
    """,
    "a runner of tests": """
        import unittest
        cov = coverage.Coverage(source=["."], omit=["test_*", "program.py"], branch=True)
        cov.start()
        open("test_lib.py", "w").write('''if True:
            import unittest, lib
            class Tests(unittest.TestCase):
                def test_small(self):
                    self.assertEqual(lib.choose(1), "small")
        ''')
        open("unused.py", "w").write("def never():\\n    return 1\\n")
        suite = unittest.defaultTestLoader.discover(".")
        result = unittest.TextTestRunner(stream=io.StringIO()).run(suite)
        cov.stop()
        cov.save()
        print(result.testsRun, cov.report())
        cov.html_report(directory="site")
        print(os.path.exists("site/index.html"), cov.xml_report())
    """,
    "generators that began before": """
        import lib
        for branch in (True, False):
            steps, other = lib.steps(), lib.steps()
            next(steps)
            next(other)
            cov = coverage.Coverage(data_file=None, branch=branch, include=["*/lib.py"])
            with cov.collect():
                next(steps)
            show(cov.get_data())
            with cov.collect():
                print(list(other), list(steps))
            show(cov.get_data())
    """,
    "generators that began before and are only left": """
        import lib
        def leave(steps):
            if sys.version_info[:2] != (3, 15):  # where closing it is no event, but coverage.py has a row
                steps.close()
            with contextlib.suppress(KeyError):
                steps.throw(KeyError)
        for branch in (False, True):
            for where in (dict(include=["*/lib.py"]), dict(source=["."])):
                steps = lib.steps()
                next(steps)
                cov = coverage.Coverage(data_file=None, branch=branch, omit=["*/program.py"], **where)
                with cov.collect():
                    leave(steps)
                show(cov.get_data())
                with cov.collect():
                    lib.choose(1)
                    leave(lib.steps())
                show(cov.get_data())
    """,
    "generators that end, or begin anew, after others that began before": """
        open("numbers_.py", "w").write('''if True:
            def count(n):
                for i in range(n):
                    if i == 1:
                        yield i
                    else:
                        yield -i
                return
        ''')
        import numbers_
        def measured():
            return coverage.Coverage(data_file=None, branch=True, include=["*/numbers_.py"])
        closed, resumed, thrown = (numbers_.count(3) for _ in range(3))
        for each in (closed, resumed, thrown):
            next(each)
        if sys.version_info[:2] == (3, 14):  # the C tracer has no row before; 3.15 says nothing of it
            cov = measured()
            with cov.collect():
                closed.close()
            show(cov.get_data())
        cov = measured()
        with cov.collect():
            next(resumed)
            cov.switch_context("next")
            next(resumed)
            print(list(numbers_.count(4)))
        show(cov.get_data())
        if sys.version_info >= (3, 14):
            cov = measured()
            with cov.collect():
                try:
                    thrown.throw(KeyError)
                except KeyError:
                    print("thrown")
            show(cov.get_data())
    """,
    "starts and stops in a loop": """
        import lib, threading
        cov = coverage.Coverage(data_file=None, branch=True, include=["*/lib.py", "*/stops.py"])
        open("stops.py", "w").write('''if True:
            def within(cov):
                cov.stop()
                cov.start()
                return 1
            def before(cov, call):
                cov.start()
                call(9)
                cov.stop()
                return 2
        ''')
        import stops
        for n in range(12):
            if n == 2:
                list(lib.steps())  # nothing of it is measured, but it is the next time
            stops.before(cov, lib.choose if n % 2 else lib.in_thread)
            cov.start()
            lib.choose(0) if n < 3 else list(lib.steps())
            if n == 4:
                with coverage.Coverage(data_file=None).collect():
                    lib.choose(9)
            if n == 5:
                stops.within(cov)
                lib.Cart()
            if n == 6:
                cov.switch_context("six")
                lib.Cart().add(1)
            if n in (7, 8):
                lib.choose(1)
            cov.stop()
            if n % 3 == 0:
                show(cov.get_data())
            if n == 7:
                cov.get_data().purge_files([lib.__file__])
            if n == 8:
                cov.erase()
            if n == 9:
                cov.set_option("run:omit", ["*/stops.py"])
            if n == 10:
                other = coverage.Coverage(data_file=None, include=["*/lib.py"])
                with other.collect():
                    lib.Cart().debug()
                show(other.get_data())
                child = os.fork()
                if not child:
                    own = coverage.Coverage(data_file="child.data", include=["*/lib.py"])
                    with own.collect():
                        list(lib.steps())
                    own.save()
                    os._exit(0)
                os.waitpid(child, 0)
                own = coverage.CoverageData("child.data")
                own.read()
                show(own)
        going = threading.Event(), threading.Event()
        class Slow:
            def __gt__(self, other):
                going[0].set()
                going[1].wait()
            def __index__(self):
                return 0
        cov.start()
        thread = threading.Thread(target=lib.choose, args=(Slow(),))
        thread.start()
        going[0].wait()
        cov.stop()
        cov.start()
        going[1].set()
        thread.join()
        cov.stop()
        show(cov.get_data())
    """,
    "after-capture": """
        # Where code has probes by then, these see no pairs but branches, so it has to be seen in another way.
        import lib
        is_ours = sys.argv[1] != "coverage"
        if is_ours:
            import footfall
            with footfall.capture():
                lib.choose(0)
        for is_imported_then in (False, True):
            if is_imported_then:
                del sys.modules["lib"]
                with footfall.capture() if is_ours else open(os.devnull):
                    import lib
            for branch in (True, False):
                cov = coverage.Coverage(data_file=None, branch=branch, include=["*/lib.py"])
                with cov.collect():
                    lib.choose(9)
                    lib.in_thread(2)
                    list(lib.steps())
                    lib.Cart()  # `while` loops with probes have an arc more on 3.11
                show(cov.get_data())
        if is_ours:
            with footfall.capture() as seen:
                lib.Cart().debug()
            assert seen.lines[lib.__file__] == {21, 24}, seen.lines
    """,
}


def _run(folder: Path, program: str, module: str) -> str:
    folder.mkdir()
    (folder / "lib.py").write_text(LIBRARY)
    (folder / "program.py").write_text(BEGIN + textwrap.dedent(program))
    env = {key: value for key, value in os.environ.items() if not key.startswith(("COVERAGE_", "FOOTFALL_"))}
    done = subprocess.run(
        [sys.executable, "program.py", module],
        cwd=folder,
        env={**env, "COVERAGE_CORE": "ctrace"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    if module != "coverage":
        assert not (folder / ".footfall" / "runs").exists()
    return done.stdout.replace(str(folder), "FOLDER")


@pytest.mark.any_python
@pytest.mark.skipif(sys.implementation.name != "cpython", reason="coverage.py's C tracer is the truth")
@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS.keys())
def test_a_program_prints_what_it_prints_with_coverage(program, tmp_path):
    """What coverage.py's C tracer measures and reports, footfall.compat does, to the letter."""
    expected = _run(tmp_path / "theirs", program, "coverage")
    assert _run(tmp_path / "ours", program, "footfall.compat") == expected


REFUSED = {
    "coverage.Coverage(cover_pylib=True).start()": "cover_pylib=True",
    "coverage.Coverage(config_file=':data:{}')": "Coverage(config_file=':data:{}'...)",
    "coverage.Coverage().html_report(extra_css='own.css')": "html_report(extra_css=...)",
}


@pytest.mark.any_python
def test_what_is_not_there_is_refused_in_words(tmp_path):
    """Each call that can't mean what it means to coverage.py raises, and names itself; nothing is measured then."""
    calls = "".join(f"    ({call!r}, {name!r}),\n" for call, name in REFUSED.items())
    program = f"""calls = [\n{calls}]
for call, name in calls:
    try:
        exec(call)
    except coverage.CoverageException as error:
        assert str(error).startswith(name + " is not supported") and error.slug == "compat-unsupported", error
    else:
        raise AssertionError(call)
    assert coverage.Coverage.current() is None
sys.modules["coverage"] = coverage
try:
    coverage.FileTracer
except AttributeError as error:
    assert "compat-unsupported" in str(error)
else:
    raise AssertionError("a class of coverage.py, which is not there")
del sys.modules["coverage"]
cov = coverage.Coverage()
cov.start()
import footfall
try:
    footfall.start()
except footfall.errors.FootfallError as error:
    print(error.slug)
cov.stop()
"""
    assert _run(tmp_path / "ours", program, "footfall.compat") == "already-measured\n"


def test_forked_children_are_in_the_data_of_their_parent(tmp_path):
    """What a child runs is its parent's to save; a child that goes on by itself has its own data."""
    program = """
        import lib
        cov = coverage.Coverage(data_file="parent.data", branch=True, include=["*/lib.py"])
        cov.start()
        lib.choose(0)
        child = os.fork()
        if not child:
            lib.choose(9)
            cov.stop()
            cov.save()
            assert not os.path.exists("parent.data")
            again = coverage.Coverage(data_file="child.data", include=["*/lib.py"])
            with again.collect():
                list(lib.steps())
            again.save()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        cov.stop()
        cov.save()
        show(cov.get_data())
        own = coverage.CoverageData("child.data")
        own.read()
        show(own)
    """
    assert _run(tmp_path / "ours", program, "footfall.compat") == (
        "lib.py [(-3, 4), (4, 5), (4, 6), (5, -3), (6, 8), (8, -3)] [4, 5, 6, 8] {4: [''], 5: [''], 6: [''], 8: ['']}\n"
        "[''] True True\n"
        "lib.py None [16, 17] {16: [''], 17: ['']}\n"
        "[''] False True\n"
    )


def test_only_calls_that_begin_after_the_start_are_measured(tmp_path):
    """As with coverage.py, and also on PyPy, functions that run go on unmeasured, and nothing is inferred of imports."""
    program = """
        import lib
        def outer():
            cov.start()
            inner()
            cov.stop()
            return 1
        def inner():
            return lib.choose(9)
        cov = coverage.Coverage(data_file=None, branch=True)
        outer()
        data = cov.get_data()
        print(sorted(data.arcs(lib.__file__)), len(data.measured_files()))
        print([line - inner.__code__.co_firstlineno for line in data.lines(os.path.abspath("program.py"))])
    """
    assert _run(tmp_path / "ours", program, "footfall.compat") == "[(-3, 4), (4, 5), (5, -3)] 2\n[1]\n"


@pytest.mark.skipif(sys.implementation.name != "cpython", reason="what runs out is CPython's")
def test_measuring_starts_as_often_as_a_program_likes(tmp_path):
    """Places by code object, of which the interpreter has 255, and mappings are used again; a start that failed is in
    nobody's way."""
    program = """
        import lib, footfall.observe.late as late
        lib.choose(0)
        for n in range(300):
            cov = coverage.Coverage(data_file=None, branch=True, include=["*/lib.py"] if n % 3 else ["*/none.py"])
            with cov.collect():
                lib.choose(9 if n % 2 else 0)
            if n > 294:
                show(cov.get_data())
        with open("/proc/self/maps") as maps:
            print(sum(".rec" in line for line in maps) <= 1, "mapped")  # the last one may go on
        real = late.settrace, late.start_monitoring
        late.settrace = late.start_monitoring = None
        try:
            coverage.Coverage().start()
        except (TypeError, AttributeError) as error:
            print("NoneType" in str(error))
        late.settrace, late.start_monitoring = real
        with coverage.Coverage(data_file=None, include=["*/lib.py"]).collect():
            print(sorted(coverage.Coverage.current().get_data().measured_files()))
    """
    big = "lib.py [(-3, 4), (4, 5), (5, -3)] [4, 5] {4: [''], 5: ['']}\n[''] True True\n"
    small = "lib.py [(-3, 4), (4, 6), (6, 8), (8, -3)] [4, 6, 8] {4: [''], 6: [''], 8: ['']}\n[''] True True\n"
    nothing = "[] True False\n"
    assert _run(tmp_path / "ours", program, "footfall.compat") == (
        big + small + nothing + small + big + "True mapped\nTrue\n[]\n"
    )


def test_reading_again_and_again_costs_what_is_new(tmp_path):
    """And returns in all what one reading at the end does: with a context for each, with none, with threads."""
    program = """
        import lib, threading
        def measure(n_reads, with_contexts):
            counts = []
            cov = coverage.Coverage(data_file=None, branch=True, include=["*/lib.py"], config_file=False)
            cov.start()
            steps = lib.steps()
            for n in range(80):
                if with_contexts:
                    cov.switch_context(f"test {n // 2}" if n % 7 else "")
                (lib.choose, lib.in_thread)[n % 3 > 1](n % 4 * 3)
                lib.Cart().add(n % 3)
                if n == 50:
                    list(steps)
                if n % (80 // n_reads) == 0:
                    calls = []
                    sys.setprofile(lambda frame, event, _: calls.append(event))
                    data = cov.get_data()
                    sys.setprofile(None)
                    counts.append(calls.count("call"))
            cov.stop()
            data = cov.get_data()
            path = os.path.abspath("lib.py")
            by_line = {line: sorted(labels) for line, labels in data.contexts_by_lineno(path).items()}
            return counts, (by_line, sorted(data.arcs(path)), sorted(data.measured_contexts()), data.measured_files())
        for with_contexts in (True, False):
            counts, often = measure(80, with_contexts)
            _, once = measure(1, with_contexts)
            print(often == once, max(counts[60:]) < 1.5 * max(counts[1:20]))
    """
    assert _run(tmp_path / "ours", program, "footfall.compat") == "True True\nTrue True\n"


def test_periods_share_a_directory_and_keep_apart(tmp_path):
    """Each has its own data, also beside another instance, after other settings, and while children run on or start late."""
    program = """
        import subprocess, tempfile, lib
        tempfile.tempdir = os.path.abspath("temporary")
        os.mkdir(tempfile.tempdir)
        used = []
        def measure(x, cov, between=lambda: None):
            with cov.collect():
                lib.choose(x)
                used.append(sorted(os.listdir("temporary")))
                between()
            lines = cov.get_data().lines(lib.__file__)
            cov.erase()
            print(lines and sorted(lines), len(os.listdir("temporary")))
        def fork():
            again, go_on = os.pipe()
            begun, begin = os.pipe()
            if os.fork():
                os.close(again)
                os.read(begun, 1)
                return
            os.close(go_on)
            os.write(begin, b"x")
            os.read(again, 1)
            os._exit(0)
        cov = coverage.Coverage(data_file=None, source=["."], config_file=False)
        measure(9, cov)
        measure(0, cov)
        measure(9, cov, lambda: measure(0, coverage.Coverage(data_file=None, source=["."], config_file=False)))
        cov.set_option("run:omit", ["*/lib.py"])
        measure(0, cov)
        cov.set_option("run:omit", [])
        measure(9, cov, fork)
        measure(0, cov)
        print([used[0] == each for each in used])
        with open("children.rc", "w") as file:
            print("[run]", "patch = subprocess", sep=chr(10), file=file)
        script = "read go; exec $0 -c 'import lib; lib.in_thread(0)'"
        late = []
        def start():
            late.append(subprocess.Popen(["sh", "-c", script, sys.executable], stdin=subprocess.PIPE))
        cov = coverage.Coverage(data_file=None, source=["."], config_file="children.rc")
        measure(9, cov, start)
        measure(9, cov, lambda: late[0].communicate(b"go"))
        import atexit
        atexit._run_exitfuncs()
        print(os.listdir("temporary"))
    """
    assert _run(tmp_path / "ours", program, "footfall.compat") == (
        "[4, 5] 1\n[4, 6, 8] 1\n[4, 6, 8] 3\n[4, 5] 1\nNone 1\n[4, 5] 0\n[4, 6, 8] 1\n"
        "[True, True, True, False, False, False, False]\n[4, 5] 0\n[4, 5] 0\n[]\n"
    )


@pytest.mark.parametrize("setting", ["concurrency = multiprocessing", "patch = subprocess"])
def test_processes_that_are_started_are_measured_where_coverage_would(setting, tmp_path):
    """Spawned ones, and programs; what they ran is in the data, which are written to be combined."""
    program = f"""
        import multiprocessing, subprocess
        def work(n):
            import lib
            return lib.choose(n)
        if __name__ == "__main__":
            with open(".coveragerc", "w") as file:
                print("[run]", {setting!r}, sep=chr(10), file=file)
            cov = coverage.Coverage(include=["*/lib.py"], branch=True)
            cov.start()
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(work, [9]))
                pool.close()
                pool.join()
            subprocess.run([sys.executable, "-c", "import lib; lib.in_thread(0)"], check=True)
            cov.stop()
            subprocess.run([sys.executable, "-c", "import lib; lib.Cart()"], check=True)
            cov.save()
            print([name.startswith(".coverage.") for name in os.listdir() if ".coverage" in name and "rc" not in name])
            cov.combine(strict=True)
            by_hand = coverage.Coverage()
            by_hand.combine()
            print(sorted(cov.get_data().lines(os.path.abspath("lib.py"))))
            by_hand.report()
    """
    out = _run(tmp_path / "ours", program, "footfall.compat")
    assert out.splitlines()[:3] == ["['big']", "[True]", "[1, 3, 4, 5, 6, 8, 10, 11, 12, 13, 15, 19, 20, 23, 26]"]
    assert "lib.py" in out.splitlines()[5]
