"""The `probes` engine: measured modules are compiled with probes in them, however they are loaded.

`start` hooks the import system, `compile` and the main script. If a hook fails, the original still works, so the module
runs unmeasured; this is reported once.
"""

import sys
from sys import _getframe  # as it is now: the program may replace it

from footfall.files import is_file
from footfall.observe.engines.compiler_warnings import Silence
from footfall.observe.engines.loaders import Compilations, is_same_code
from footfall.observe.engines.plain_code import FUTURES, ONLY_AST, NoRoomForProbesError, compile_plainly
from footfall.observe.engines.probe_cache import code_state
from footfall.observe.engines.probe_compiler import ProbeCompiler
from footfall.observe.engines.traced_files import TracedFiles
from footfall.observe.interruptions import Undisturbed, pass_on
from footfall.observe.messages import keep_message, report
from footfall.own_builtins import keep_builtins
from footfall.probes.source_text import digest_source, keep_text, read_source
from footfall.tier import HAS_CORE

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import Module
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    from footfall.observe.engines.instrument import Instrumenter
    from footfall.observe.engines.loaders import Text
    from footfall.observe.scope import Scope
    from footfall.settings import Settings

    Where = str | Callable[[str], str | None]
    """A measured file's absolute path, or a function that returns it for a `co_filename` when code of the file runs."""
    Arm = Callable[[CodeType, Where], CodeType]

__all__ = ["Probes", "start"]

_MAX_TEXTS = 1000
"""How many texts other than the file's own are kept for each file: a program may compile new ones without end."""
_IMPORT_CALLER = "<frozen importlib._bootstrap>"
"""The import system's caller of `compile`. What it loads goes through `get_code`; it writes the rest to `.pyc` files
(py_compile, loaders with their own `source_to_code`), which must stay free of probes.
"""


class Probes:
    """What the hooks share: which files are measured, how to instrument, how to arm.

    Methods raise no errors of ours; they pass on what a signal handler of the program raises in the meantime.
    """

    running: "Probes | None" = None
    """The engine's instance, if it measures this process."""

    def __init__(
        self,
        settings: "Settings",
        scope: "Scope",
        arm: "Arm",
        call_with_room: "Callable[[Callable[[], CodeType]], CodeType]",
        traced: TracedFiles,
    ) -> None:
        """`traced` is for files whose code can't have probes."""
        self.with_branches = settings.branch
        self._compiler = ProbeCompiler(settings, call_with_room)
        self.decide = scope.decide
        self._scope = scope
        self._arm = arm
        self._directory = settings.directory
        self._compilations = Compilations()
        self._traced = traced
        self.captures: Probes | None = None
        """The instance of captures, which is asked about files that are not measured."""
        self._texts_left: dict[str, int] = {}
        self._substitutes: dict[str, tuple[CodeType, CodeType]] = {}
        self._reported: set[str] = set()
        self._has_failed = False
        self._has_missing = False

    @property
    def instrumenter(self) -> "Instrumenter":
        """Return the compiler of code with probes. Raises the same as `ProbeCompiler.get`."""
        return self._compiler.get()

    @property
    def numbering(self) -> bytes:
        """Return a value that tells whether copies of code that come back were numbered by the same rules as here."""
        return code_state().encode()

    def path_of(self, filename: str, name: str | None) -> str | None:
        """Return the absolute path of the file if it is measured; without a module name, if it may be."""
        path = self._decide(filename, name)[0]
        return self.captures.path_of(filename, name) if path is None and self.captures is not None else path

    def _decide(self, filename: str, name: str | None) -> tuple[str | None, bool]:
        """As `Scope.decide_before_run`, but uses the name if it is known."""
        if name is None:
            return self._scope.decide_before_run(filename)
        return self._scope.decide(filename, name), True

    def code_for_import(self, filename: str, name: str | None) -> "CodeType | None":
        """Return the armed code of a module's source file; None if it is not measured.

        `name` is the name that the module will have when it runs; None if that is not known.
        """
        try:
            path, is_known = self._decide(filename, name)
            if path is None:
                return None if self.captures is None else self.captures.code_for_import(filename, name)
            code = self.instrumenter.code_of_file(path, filename)
            return self._arm(code, path if is_known else self._scope.decide)
        except NoRoomForProbesError:
            if is_known and path is not None:  # else it is decided when it runs
                self._trace_for_room(filename, path)
            return None
        except (OSError, SyntaxError) as error:
            pass_on(error)
            return None  # the import system will find and report the same error
        except Exception as error:  # ours: the module runs as it is
            self.failed(filename, error)
            return None

    def begin_loader(self, filename: str) -> "list[Text]":
        """Return a list of the texts that are compiled under the file's name from now on until `end_loader`."""
        return self._compilations.begin(filename)

    def end_loader(self) -> None:
        """See `begin_loader`."""
        self._compilations.end()

    def code_from_loader(
        self, filename: str, name: str | None, code: "Any", texts: "list[Text]", load_text: "Callable[[], object]"
    ) -> "Any":
        """Return a measured module's code as its loader made it, with probes if it comes from a known text.

        It was compiled from one of `texts` just now; or, if the loader used bytecode, `load_text` makes it read and
        compile the text again. Otherwise the file is traced.
        """
        path, is_known = self._decide(filename, name)
        if path is None and self.captures is not None:
            return self.captures.code_from_loader(filename, name, code, texts, load_text)
        if path is None or type(code) is not type(self.code_from_loader.__code__):
            return code
        try:
            if not _is_python(path):
                self._report_code(path, ", and is no Python: it is not measured.")
                return code
            instrumented = self._instrumented_as(code, texts, path) or self._instrumented_as(
                code, self._texts_of(filename, load_text), path
            )
            if instrumented is not None:
                return self._arm(instrumented, path if is_known else self._scope.decide)
            self._trace(code.co_filename, path)
        except NoRoomForProbesError:
            self._trace_for_room(code.co_filename, path)
        except Exception as error:  # ours: the module runs as it is
            self.failed(path, error)
        return code

    def _trace(self, filename: str, path: str) -> None:
        """Measure code that can't have probes by `settrace`, and report that; or report that it is not measured."""
        self._report_code(path, self._trace_if_possible(filename, path))

    def trace_plain_code(self, filename: str, namespace: "dict[str, object] | None") -> None:
        """Trace code of the file that is about to run without probes, if the file is measured.

        `namespace` is its globals, if they are known.
        """
        is_known = namespace is not None
        path = self._scope.decide(filename, namespace=namespace) if is_known else self._path_before_run(filename)
        if path is None or filename in self._traced or path in self._reported:
            return
        if not self._traced.add(filename, path if is_known else self._scope.decide):
            self._reported.add(path)
            report("not-traced", path + " is not measured: another tool is tracing.", "Measure with the C core.")

    def _path_before_run(self, filename: str) -> str | None:
        return self._scope.decide_before_run(filename)[0]

    def _trace_for_room(self, filename: str, path: str) -> None:
        """As `_trace`, for a file whose text compiles, but not with probes."""
        try:
            what = self._trace_if_possible(filename, path)
        except Exception as error:  # ours: the module runs as it is
            self.failed(path, error)
            return
        if path not in self._reported:
            self._reported.add(path)
            report("nested-too-deeply", path + " nests blocks so deeply that there is no room for probes" + what)

    def _trace_if_possible(self, filename: str, path: str) -> str:
        """Trace the file if possible; return the message about it."""
        if self._traced.add(filename, path):
            return ": it is measured by settrace, which makes the program slower."
        return ": it is not measured."

    def code_in_place_of(self, code: "CodeType", namespace: "dict[str, object] | None") -> "CodeType | bool | None":
        """Return the code to run in place of a module's code without probes; `namespace` is its globals.

        That code was made from a syntax tree, or comes from bytecode. If the file's text gives the same code, the
        result is the code with probes; otherwise the file is traced. Returns None if the code itself is to run, False
        if that holds for all code of its `co_filename`.
        """
        try:
            with Undisturbed():
                return self._code_in_place_of(code, namespace)
        except RecursionError:  # the program's stack is so full that our own calls do not fit
            return None
        except Exception as error:  # ours: the module runs as it is
            self.failed(code.co_filename, error)
            return False

    def _code_in_place_of(self, code: "CodeType", namespace: "dict[str, object] | None") -> "CodeType | bool":
        filename = code.co_filename
        path = self._scope.decide(filename, namespace=namespace)
        if path is None and self.captures is not None:
            return self.captures._code_in_place_of(code, namespace)
        if path is None or path in self._reported or filename in self._traced:
            return False
        plain, found = self._substitutes.get(filename, (None, None))
        if plain is code and found is not None:
            return found
        try:
            text = read_source(path)
        except OSError as error:
            pass_on(error)
            self._report_missing(path)
            return False
        if not _is_python(path):
            return False  # no report can show it
        try:
            instrumented = self._instrumented_as(code, [(text, code.co_flags & FUTURES, -1)], path)
        except NoRoomForProbesError:
            self._trace_for_room(filename, path)
            return False
        if instrumented is None:
            self._trace(filename, path)
            return False
        armed = self._arm(instrumented, path)
        self._substitutes[filename] = code, armed
        return armed

    def _texts_of(self, filename: str, load_text: "Callable[[], object]") -> "list[Text]":
        texts = self._compilations.begin(filename)
        try:
            load_text()
        except Exception as error:  # the loader's error: the program ran without this call
            pass_on(error)
            texts.clear()
        finally:
            self._compilations.end()
        return texts

    def _instrumented_as(self, code: "CodeType", texts: "list[Text]", path: str) -> "CodeType | None":
        """Return the code with probes, if one of the texts gives the same code without."""
        for source, flags, optimize in texts:
            with Silence():  # the loader has already shown the compiler's warnings
                plain = compile_plainly(source, code.co_filename, "exec", flags, dont_inherit=True, optimize=optimize)
                if not is_same_code(code, plain):
                    continue
                digest = _digest_of_content(path, source) or self.keep_text(source)
                if digest is not None:
                    return self.instrumenter.code_of_source(source, code.co_filename, digest, flags, optimize)
        return None

    def _report_code(self, path: str, what: str) -> None:
        """Report once for a file that its code is not that of its text, and what follows from that."""
        if path not in self._reported:
            self._reported.add(path)
            why = path + " runs other code than its text gives (from a syntax tree, its loader or old bytecode)"
            report("code-from-elsewhere", why + what)

    def _report_missing(self, path: str) -> None:
        """Record once, for the end of the run, that code runs under the name of a file that does not exist."""
        if not self._has_missing:
            self._has_missing = True
            keep_message("source-missing", "Left out, as there is no such file: " + path + ".")

    def code_for_main(self, code: "CodeType", namespace: "dict[str, object]") -> "CodeType | bool | None":
        """Return the armed code of the script that the interpreter has just compiled by itself, or read as bytecode."""
        filename = code.co_filename
        if namespace.get("__file__") != filename:
            return self.code_in_place_of(code, namespace)
        path = self.path_of(filename, "__main__")
        if path is None or not is_file(path):
            return None
        with Undisturbed(), Silence():  # the interpreter has already shown the compiler's warnings
            return self.code_for_import(filename, "__main__")

    def code_for_source(self, source: "str | bytes", filename: str, flags: int, optimize: int) -> "CodeType | None":
        """Return the armed code of a text that is compiled under the name of a measured file."""
        with Undisturbed():
            return self._code_for_source(source, filename, flags, optimize)

    def _code_for_source(self, source: "str | bytes", filename: str, flags: int, optimize: int) -> "CodeType | None":
        try:
            path, is_known = self._scope.decide_before_run(filename)
            if path is None and self.captures is not None:
                return self.captures._code_for_source(source, filename, flags, optimize)
            if path is None or self._compilations.note(filename, (source, flags, optimize)) or _is_import_compiling():
                return None
            digest = _digest_of_content(path, source) or self._digest_of_other_text(path, source)
            if digest is None:
                return None
            code = self.instrumenter.code_of_source(source, filename, digest, flags, optimize)
            return self._arm(code, path if is_known else self._scope.decide)
        except NoRoomForProbesError:
            return None  # decided when it runs
        except (OSError, SyntaxError) as error:
            pass_on(error)
            return None  # plain compilation reports the error
        except Exception as error:  # as above
            self.failed(filename, error)
            return None

    def code_for_tree(self, code: "CodeType", optimize: int) -> "CodeType | None":
        """Return the armed code to use in place of code that a syntax tree gave, if its file's text gives the same.

        Returns None if not: then it is decided about when it runs.
        """
        filename = code.co_filename
        try:
            with Undisturbed():
                path, is_known = self._scope.decide_before_run(filename)
                if path is None or path in self._reported or filename in self._traced or not _is_python(path):
                    return None
                instrumented = self._instrumented_as(
                    code, [(read_source(path), code.co_flags & FUTURES, optimize)], path
                )
                if instrumented is None:
                    return None
                return self._arm(instrumented, path if is_known else self._scope.decide)
        except (NoRoomForProbesError, RecursionError):
            return None
        except OSError as error:
            pass_on(error)
            return None  # there is no such file
        except Exception as error:  # ours: the code runs as it is
            self.failed(filename, error)
            return None

    def _digest_of_other_text(self, path: str, source: "str | bytes") -> bytes | None:
        """Return the digest of a text that is not the file's but an import hook's translation, with the file's lines.

        Returns None if the file is not Python but a template or the like, which no report can show. Also None if the
        text can't be kept: its code is then decided about when it runs.
        """
        if path not in self._texts_left:
            self._texts_left[path] = _MAX_TEXTS if _is_python(path) else 0
        if not self._texts_left[path]:
            return None
        self._texts_left[path] -= 1
        return self.keep_text(source) if self._texts_left[path] else None

    def keep_text(self, text: "str | bytes") -> bytes | None:
        """Keep a text that is not the file's for the analysis; return its digest, None if it can't be kept."""
        return keep_text(self._directory, text)

    def arm_before_run(self, code: "CodeType") -> "CodeType":
        """Return code that comes from someone else's cache, armed if it is instrumented."""
        try:
            with Undisturbed():
                path, is_known = self._scope.decide_before_run(code.co_filename)
                if path is not None:
                    self._compiler.get()  # before code of the project runs
            return self._arm(code, path if path is not None and is_known else self._scope.decide)
        except Exception as error:  # as above
            self.failed(code.co_filename, error)
            return code

    def instrument_tree(self, tree: "Module", source: bytes, filename: str) -> None:
        """Insert probes into the tree of a measured file that another tool is about to rewrite."""
        try:
            with Undisturbed():
                self.instrumenter.instrument_for_pytest(tree, source)
        except NoRoomForProbesError:
            path = self.path_of(filename, None)
            if path is not None:
                self._trace_for_room(filename, path)
        except Exception as error:  # as above
            self.failed(filename, error)

    def failed(self, path: str, error: BaseException) -> None:
        """Report, for the first failure only, that a module is not measured because of us; not for the program's
        errors.
        """
        pass_on(error)
        if self._has_failed:
            return
        self._has_failed = True
        report("not-instrumented", path + " runs unmeasured: " + repr(error) + ".", "Please report it.")


def _is_python(path: str) -> bool:
    try:
        with Silence():
            compile_plainly(read_source(path), path, "exec", ONLY_AST, dont_inherit=True)
    except Exception:  # the file may contain anything
        return False
    return True


def _is_import_compiling() -> bool:
    """Return whether the import system called `compile`, three frames up (`compile` itself has none)."""
    try:
        return _getframe(3).f_code.co_filename == _IMPORT_CALLER
    except ValueError:
        return False  # there is no caller: PyPy's main script


def _digest_of_content(path: str, source: "str | bytes") -> bytes | None:
    """Return the file's digest if the text is that of the file, so that line numbers are the file's."""
    content = read_source(path)
    digest = digest_source(content)
    data = source if isinstance(source, bytes) else source.encode("utf-8", "surrogatepass")
    if data != content:
        content = content.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if data != content and data != content + b"\n":
            return None
    return digest


def start(settings: "Settings", scope: "Scope") -> Probes:
    """Measure every module in scope that is loaded from now on."""
    hooks: Any
    if HAS_CORE:
        from footfall.observe.engines import cpython_hooks

        hooks = cpython_hooks
    elif sys.implementation.name == "cpython":
        from footfall.observe.pure.probes import hooks as pure_hooks

        hooks = pure_hooks
    else:
        from footfall.observe.pypy import hooks as pypy_hooks

        hooks = pypy_hooks
    traced = TracedFiles(settings.branch)
    probes = Probes.running = Probes(settings, scope, hooks.arm_function(settings), hooks.call_with_room, traced)
    from footfall.observe.engines import import_hooks

    hooks.hook_compile(probes)
    hooks.hook_main(probes)
    import_hooks.hook_imports(probes, settings.cache_dir, hooks.unseen, hooks.look_alike)
    return probes
