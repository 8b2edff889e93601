"""Source to instrumented code, from the cache if it is there. Called by the hooks on loading and compiling.

A process loads this module, and with it the probe compiler, when it meets the first measured file (probe_compiler.py).
"""

import gc
import sys
from _ast import Module

from footfall.observe.engines.compiler_warnings import Silence
from footfall.observe.engines.plain_code import ONLY_AST, NoRoomForProbesError, compile_plainly
from footfall.observe.engines.probe_cache import ProbeCache
from footfall.own_builtins import keep_builtins
from footfall.probes.forms import Forms
from footfall.probes.function_bodies import FunctionBodies
from footfall.probes.mode import BRANCHES, extra_lines_here, mode_here
from footfall.probes.phantom_lines import find_phantom_lines
from footfall.probes.pieces import can_be_cut, parse_in_pieces
from footfall.probes.plan import insert_probes, walk_pieces, write_header
from footfall.probes.source_text import digest_source, read_source, split_lines
from footfall.probes.syntax import is_docstring
from footfall.pythons import HAS_LINES_OF_NOTHING, HAS_PHANTOMS_BEHIND_EXCEPT_STAR

keep_builtins(globals())

# What `find_phantom_lines` needs for some compilers; imported with the rest, since nothing may be imported later.
if HAS_LINES_OF_NOTHING:
    from footfall.probes import lines_of_nothing  # noqa: F401
if HAS_PHANTOMS_BEHIND_EXCEPT_STAR:
    from footfall.probes import except_star_ends  # noqa: F401

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import AST, stmt
    from collections.abc import Callable, Iterator, Mapping
    from types import CodeType
    from typing import Any

__all__ = ["Instrumenter"]

_SAFE_DEPTH = 15
"""Nesting depth of blocks: any version compiles this many plus what probes add. CPython and PyPy allow 20."""
_MAX_WHOLE_BYTES = 2_000_000
"""Size of source whose tree takes some 500 MB. Compiling in pieces takes a quarter to half of the memory, and half as
much time again, since each function's header is compiled twice.
"""
_COMPILES_IN_PIECES = sys.implementation.name == "cpython"  # where a function's code comes out the same
_LEFT_ALONE = "PYTEST_DONT_REWRITE"
"""In a module's docstring, this keeps pytest from rewriting asserts."""


class Instrumenter:
    """Compiles with probes, for one mode. Methods raise what the compiler raises."""

    def __init__(
        self, cache_dir: str, with_branches: bool, call_with_room: "Callable[[Callable[[], CodeType]], CodeType]"
    ) -> None:
        """`call_with_room` calls a function with more room for recursion than there is here."""
        self.with_branches = with_branches
        self._call_with_room = call_with_room
        # The rest of the mode follows from the interpreter and its optimization level, which separate entries too.
        self._cache = ProbeCache(cache_dir, BRANCHES if with_branches else 0)
        self._extra_lines: int | None = None

    def code_of_file(self, path: str, filename: str) -> "CodeType":
        """Return the instrumented code of a source file, unarmed, under `filename`."""
        code = self._cache.load(path)
        if code is not None:
            if code.co_filename != filename:
                _rename(code, filename)
            return code
        key = self._cache.key(path)
        source = read_source(path)
        code = self.code_of_source(source, filename, digest_source(source))
        self._cache.store(path, key, code)
        return code

    def code_of_source(
        self, source: "str | bytes", filename: str, digest: bytes, flags: int = 0, optimize: int = -1
    ) -> "CodeType":
        """Return the instrumented code of source text, unarmed.

        `digest` is that of the file that contains the text; `flags` are those of the future features and the like.
        """
        # The tree becomes garbage at the end, but not before: a collection would only traverse it, and the program's
        # heap.
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return self._compile(source, filename, digest, flags, optimize)
        except (RecursionError, MemoryError):
            # Compiling by way of a tree recurses more often than plain compilation, and our own frames are on the stack
            # too.
            _check_that_it_compiles(source, filename, flags, optimize)
            with Silence():
                return self._call_with_room(lambda: self._compile(source, filename, digest, flags, optimize))
        finally:
            if was_enabled:
                gc.enable()

    def _compile(self, source: "str | bytes", filename: str, digest: bytes, flags: int, optimize: int) -> "CodeType":
        def make(what: "str | bytes | Module", more_flags: int = 0) -> "Any":
            return compile_plainly(what, filename, "exec", flags | more_flags, dont_inherit=True, optimize=optimize)

        def parse(text: "str | bytes") -> "Module":
            return make(text, ONLY_AST)  # type: ignore[no-any-return]

        data = source.encode("utf-8", "surrogatepass") if isinstance(source, str) else bytes(source)
        mode = self._mode(optimize)
        if _COMPILES_IN_PIECES and len(data) > _MAX_WHOLE_BYTES and can_be_cut(data):
            try:
                return _compile_in_pieces(data, mode, digest, parse, make)
            except SyntaxError:
                pass  # compiling the whole reports more about it
        tree = parse(source)
        self.instrument(tree, data, digest, mode)
        try:
            return make(tree)  # type: ignore[no-any-return]
        except SyntaxError as error:
            with Silence():
                _check_that_it_compiles(source, filename, flags, optimize)
                try:
                    make(tree)
                except SyntaxError:
                    raise NoRoomForProbesError(str(error)) from None
            raise  # a warning that the program has turned into an error

    def _mode(self, optimize: int = -1, keeps_asserts: bool = False) -> int:
        """Return the mode of what is compiled now. A process whose code all comes from the cache never needs it."""
        if self._extra_lines is None:
            self._extra_lines = extra_lines_here()
        return mode_here(self.with_branches, optimize, keeps_asserts, self._extra_lines)

    def instrument_for_pytest(self, tree: "Module", source: bytes) -> None:
        """Insert probes into the tree of a module whose asserts pytest is about to rewrite.

        Raises NoRoomForProbesError if the result can't be compiled; the tree is then as it was.
        """
        first = tree.body[0] if tree.body else None
        is_left_alone = is_docstring(first) and _LEFT_ALONE in first.value.value  # type: ignore[union-attr]
        mode = self._mode(keeps_asserts=not is_left_alone)
        self.instrument(tree, source, digest_source(source), mode)
        if _depth_at_most(source) > _SAFE_DEPTH:
            _check_room(tree, source)

    def instrument(self, tree: "Module", source: bytes, digest: bytes, mode: int) -> None:
        """Insert probes into the tree of `source`, in place; `mode` is the one in which it will be compiled."""
        insert_probes(tree, split_lines(source), mode, digest, find_phantom_lines(tree, mode))


def _compile_in_pieces(
    source: bytes,
    mode: int,
    digest: bytes,
    parse: "Callable[[bytes], Module]",
    compile_tree: "Callable[[Module], CodeType]",
) -> "CodeType":
    """Return a large module's code with probes; of its tree, only functions' headers are in memory together."""

    def find_pieces() -> "Iterator[tuple[Module, Mapping[AST, AST], bool]]":
        for tree, is_last in parse_in_pieces(source, parse):
            yield tree, find_phantom_lines(tree, mode), is_last

    lines = split_lines(source)
    imported: list[str] = []
    while True:
        bodies = FunctionBodies(compile_tree, lines, imported)
        statements: list[stmt] = []
        forms = Forms()
        for piece, forms in walk_pieces(find_pieces(), lines, mode):  # noqa: B007
            bodies.compile_apart(piece.body)
            if not bodies.has_late_imports:
                statements += piece.body
        if not bodies.has_late_imports:
            break
        imported = bodies.imported
    write_header(forms, mode, digest)
    return bodies.put_into(compile_tree(Module(statements, [])))


def _depth_at_most(source: bytes) -> int:
    """Return an upper bound for how deeply blocks are nested: each level has an indentation of its own."""
    return len({len(line) - len(line.lstrip()) for line in source.splitlines()})


def _check_room(tree: "Module", source: bytes) -> None:
    """See `Instrumenter.instrument_for_pytest`."""
    with Silence():
        try:
            compile_plainly(tree, "<probes>", "exec", dont_inherit=True)
        except SyntaxError as error:
            tree.body = compile_plainly(source, "<plain>", "exec", ONLY_AST, dont_inherit=True).body
            raise NoRoomForProbesError(str(error)) from None


def _check_that_it_compiles(source: "str | bytes", filename: str, flags: int, optimize: int) -> None:
    """Raise SyntaxError for code that the program itself can't compile here."""
    try:
        compile_plainly(source, filename, "exec", flags, dont_inherit=True, optimize=optimize)
    except (RecursionError, MemoryError) as error:
        raise SyntaxError(str(error)) from None


def _rename(code: "CodeType", filename: str) -> None:
    import _imp

    _imp._fix_co_filename(code, filename)  # type: ignore[attr-defined]
