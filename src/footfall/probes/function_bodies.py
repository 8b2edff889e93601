"""Functions of a module compiled separately, so that a large module's syntax tree need not be in memory as a whole.

A function's code depends on its name, its arguments' names, its body, the future features, and on which names the
module imports (CPython compiles method calls on those differently). So each piece of a module is compiled with its
functions alone, and the module with only the headers of these functions; then the code made from the headers is
exchanged for the functions. Their `global` declarations stay in the headers, because the module stores such names
differently.
"""

from _ast import (
    AsyncFunctionDef,
    ClassDef,
    Constant,
    FunctionDef,
    Global,
    Import,
    ImportFrom,
    Module,
    Pass,
    alias,
    arg,
    arguments,
)

from footfall.own_builtins import keep_builtins
from footfall.probes.forms import position_of

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _ast import AST, expr, stmt
    from collections.abc import Callable, Iterable, Iterator, Set
    from types import CodeType
    from typing import Any

__all__ = ["FunctionBodies"]

_NOWHERE: "Any" = {"lineno": 1, "col_offset": 0, "end_lineno": 1, "end_col_offset": 0}
_NO_BODY = [Pass(**_NOWHERE)]
_BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")
"""The fields in which statements contain other statements."""
_NO_ARGUMENTS = arguments([], [], None, [], [], None, [])


class FunctionBodies:
    """The functions of one module that are compiled already.

    `compile_tree` is the compile function, `lines` the module's source. `imported` are the names that the module is
    known to import.
    """

    __slots__ = (
        "_codes",
        "_compile",
        "_futures",
        "_has_globals",
        "_imported",
        "_lines",
        "has_late_imports",
    )

    def __init__(
        self, compile_tree: "Callable[[Module], CodeType]", lines: "list[bytes]", imported: "Iterable[str]"
    ) -> None:
        self._compile = compile_tree
        self._lines = lines
        self._has_globals = b"global" in b"\n".join(lines)
        self._codes: dict[tuple[int, str], CodeType] = {}
        self._futures: list[stmt] = []
        self._imported = dict.fromkeys(imported)
        self.has_late_imports = False
        """Functions that use a name were compiled without knowing that the module imports it further down."""

    def compile_apart(self, body: "list[stmt]") -> None:
        """Compile the functions among the statements of a module, and leave only their headers there.

        Once there are late imports, the statements are only searched for further imports.
        """
        found = dict.fromkeys(_find_imported(body))
        late = found.keys() - self._imported.keys()
        self._imported.update(found)
        if late and _use_any(self._codes.values(), late):
            self.has_late_imports = True
        if self.has_late_imports:
            return  # all is compiled again, when all imports are known
        self._futures += [node for node in body if type(node) is ImportFrom and node.module == "__future__"]
        imports = [Import([alias(name, **_NOWHERE) for name in self._imported], **_NOWHERE)] if self._imported else []
        functions: list[Any] = [
            node
            for node in body
            if type(node) in (FunctionDef, AsyncFunctionDef) and not getattr(node, "type_params", None)
        ]
        headers = [_take_header(node) for node in functions]
        code_type = type(_take_header.__code__)
        for code in self._compile(Module([*self._futures, *imports, *functions], [])).co_consts:
            if type(code) is code_type:
                self._codes[code.co_firstlineno, code.co_name] = code
        for node, header in zip(functions, headers, strict=True):
            declared = self._find_globals(node)
            node.body = [Global(declared, **_NOWHERE)] if declared else _NO_BODY
            node.decorator_list, node.args, node.returns = header

    def _find_globals(self, function: "Any") -> "list[str]":
        """Return the names that a function, or one in it, declares `global`."""
        if not self._has_globals or not any(
            b"global" in line for line in self._lines[function.lineno - 1 : function.end_lineno]
        ):
            return []
        found: list[str] = []
        todo: list[AST] = [function]
        while todo:
            node: Any = todo.pop()
            if type(node) is Global:
                found += node.names
            for field in _BLOCKS:
                todo += getattr(node, field, ())
        return found

    @property
    def imported(self) -> "list[str]":
        """The names that the module imports, as far as seen."""
        return list(self._imported)

    def put_into(self, module: "CodeType") -> "CodeType":
        """Return the code of the module, which was compiled from what `compile_apart` left, with all functions in it.

        Equal constants are one object throughout, as when everything is compiled at once (except sets, which no program
        can get hold of).
        """
        codes = self._codes
        constants = [
            codes.get((constant.co_firstlineno, constant.co_name), constant)
            if type(constant) is type(module)
            else constant
            for constant in module.co_consts
        ]
        return _shared(module.replace(co_consts=tuple(constants)), {})


def _find_imported(body: "list[stmt]") -> "Iterator[str]":
    """Yield the names that a module's statements import, directly or inside statements that are not definitions."""
    todo: list[AST] = [*body]
    while todo:
        node: Any = todo.pop()
        kind = type(node)
        if kind in (Import, ImportFrom):
            for each in node.names:
                if each.name != "*":
                    yield each.asname or each.name.partition(".")[0]
        elif kind not in (FunctionDef, AsyncFunctionDef, ClassDef):
            for field in _BLOCKS:
                todo += getattr(node, field, ())


def _use_any(codes: "Iterable[CodeType]", names: "Set[str]") -> bool:
    """Return whether the code, or code in it, may use a variable with one of the names, global or not."""
    if any(name.startswith("__") for name in names):
        return True  # in a class, the code's name for it is another
    todo = [*codes]
    while todo:
        code = todo.pop()
        for used in (code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars):
            if not names.isdisjoint(used):
                return True
        todo += [constant for constant in code.co_consts if type(constant) is type(code)]
    return False


def _take_header(node: "Any") -> "tuple[list[expr], arguments, expr | None]":
    """Remove from the tree what is evaluated where a function is defined, and return it to be restored."""
    decorators, args, returns = node.decorator_list, node.args, node.returns
    if decorators:
        node.decorator_list = [Constant(None, **position_of(decorators[0]))]  # its code begins there
    node.args = _bare_arguments(args)
    node.returns = None
    return decorators, _NO_ARGUMENTS if node.args is args else args, returns


def _bare_arguments(args: "Any") -> arguments:
    """Return a function's arguments without defaults and annotations; the same object if there are none."""
    if not (args.posonlyargs or args.kwonlyargs or args.vararg or args.kwarg or args.defaults):
        for argument in args.args:
            if argument.annotation is not None:
                break
        else:
            return args  # type: ignore[no-any-return]
    return arguments(
        [_bare(argument) for argument in args.posonlyargs],
        [_bare(argument) for argument in args.args],
        _bare(args.vararg),
        [_bare(argument) for argument in args.kwonlyargs],
        [None] * len(args.kwonlyargs),
        _bare(args.kwarg),
        [],
    )


def _bare(argument: "Any") -> "Any":
    return None if argument is None else arg(argument.arg, None, **position_of(argument))


def _shared(code: "CodeType", known: "dict[Any, Any]") -> "CodeType":
    """Return the code with each constant replaced by its equal in `known`, if there is one."""
    shared = []
    has_changed = False
    for constant in code.co_consts:
        kind = type(constant)
        if kind is type(code):
            one: Any = _shared(constant, known)
        elif kind is str:
            one = known.setdefault(constant, constant)
        else:
            one = constant if kind is frozenset else known.setdefault(_key(constant), constant)
        has_changed = has_changed or one is not constant
        shared.append(one)
    return code.replace(co_consts=tuple(shared)) if has_changed else code


def _key(constant: "Any") -> "Any":
    """Return a key that is equal for constants that the compiler treats as the same."""
    kind = type(constant)
    if kind is tuple:
        return kind, tuple([_key(each) for each in constant])
    if kind in (float, complex):  # zeros have signs
        return kind, repr(constant) if constant == constant else id(constant)
    return kind, constant
