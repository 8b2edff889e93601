"""Logical lines: which physical lines belong to one statement. Called by analysis.py; analysis phase.

coverage.py tokenizes every file for this. Only three things make a statement longer than a line (brackets, strings,
a backslash before the newline), so one regular expression jumps from one of them to the next, about four times as fast
as tokenize on CPython 3.11. From Python 3.12 on (PEP 701) f-strings nest and need a small separate scanner.
"""

import re

from footfall.pythons import HAS_NESTED_FSTRINGS

__all__ = ["find_first_lines", "find_logical_end", "find_suite_lines"]

_TOKEN = r"""
    \#[^\n]*
  | [(\[{] [^()\[\]{}"'#\n\\]*                              # a bracket that closes on its own line,
        (?: (?: "(?!"")[^"\\\n{}]*" | '(?!'')[^'\\\n{}]*' )  # with nothing but plain strings in it
            [^()\[\]{}"'#\n\\]* )* [)\]}]
  | [()\[\]{}]
  | \"\"\" [^"\\]* (?: (?: \\[\s\S] | "(?!"") ) [^"\\]* )* \"\"\"
  | ''' [^'\\]* (?: (?: \\[\s\S] | '(?!'') ) [^'\\]* )* '''
  | " [^"\\\n]* (?: \\[\s\S] [^"\\\n]* )* "
  | ' [^'\\\n]* (?: \\[\s\S] [^'\\\n]* )* '
  | ["']                                                    # only an f-string with a newline in a field
  | \\\n
"""
_find_tokens = re.compile(_TOKEN, re.VERBOSE).finditer
_find_field_tokens = re.compile(_TOKEN + "| :", re.VERBOSE).finditer

# What follows the opening quote of an f-string whose fields contain neither quotes nor braces: nothing can nest in it.
_is_simple_fstring = re.compile(
    r"""(?: "(?!"") (?: [^"\\\n{}] | \{ [^"'\\\n{}\#]* \} )* "
          | '(?!'') (?: [^'\\\n{}] | \{ [^"'\\\n{}\#]* \} )* ' )""",
    re.VERBOSE,
).fullmatch

# Where the literal part of an f-string may end, by opening quote.
_LITERAL_STOPS = {
    quote: re.compile(rf"\\(?:N\{{[^}}]*\}}|[^{{}}]|(?=[{{}}]))|\{{|\}}|{quote}") for quote in ('"', "'", '"""', "'''")
}


def find_first_lines(text: str) -> dict[int, int]:
    """Map each line of a statement that spans several lines to the statement's first line; other lines are absent."""
    first_lines: dict[int, int] = {}
    first = last = 0
    offset = 0
    line = 1
    for start, end in _find_multi_line_spans(text):
        line += text.count("\n", offset, start)
        start_line = line
        line += text.count("\n", start, end)
        offset = end
        if start_line != last:
            if text[start] == "\\" and not text[text.rfind("\n", 0, start) + 1 : start].strip():
                # A backslash on an otherwise empty line: the statement begins on the next one.
                continue
            first = start_line
        last = line
        for number in range(start_line, last + 1):
            first_lines[number] = first
    return first_lines


def find_logical_end(lines: list[str], first_lines: dict[int, int], first: int) -> int:
    """Return the last line of the statement (or header of a compound statement) that begins on line `first`."""
    last = first
    while last < len(lines) and first_lines.get(last + 1) == first:
        last += 1
    return last


def find_suite_lines(lines: list[str], first_lines: dict[int, int], header: int) -> list[int]:
    """Return the first lines of the statements indented below the statement on line `header`, however deep.

    `lines` are the lines of the text without their ends. Empty unless `header` opens a suite on the lines after it.
    """
    found: list[int] = []
    indent_line = header
    while indent_line > 1 and lines[indent_line - 2].strip() == "\\" and indent_line - 1 not in first_lines:
        indent_line -= 1
    header_indent = _measure_indent(lines[indent_line - 1])
    number = find_logical_end(lines, first_lines, header) + 1
    carried: int | None = None
    while number <= len(lines):
        line = lines[number - 1]
        content = line.strip()
        if content == "\\":
            carried = _measure_indent(line) if carried is None else carried
            number += 1
            continue
        if not content or content[0] == "#":
            number += 1
            continue
        if (_measure_indent(line) if carried is None else carried) <= header_indent:
            break
        carried = None
        found.append(number)
        number = find_logical_end(lines, first_lines, number) + 1
    return found


def _measure_indent(line: str) -> int:
    """Return the column at which a line's content begins, tab stops every 8 columns as in Python's grammar."""
    return len(line[: len(line) - len(line.lstrip(" \t"))].expandtabs(8))


def _find_multi_line_spans(text: str) -> list[tuple[int, int]]:
    """Return the (start, end) offsets of outermost brackets, strings and line joins with a newline inside, in order."""
    spans: list[tuple[int, int]] = []
    depth = opened = position = 0
    while True:
        for match in _find_tokens(text, position):
            token = match.group()
            kind = token[0]
            if kind in "([{":
                if len(token) == 1:
                    if not depth:
                        opened = match.start()
                    depth += 1
            elif kind in ")]}":
                depth -= 1
                if not depth and text.find("\n", opened, match.start()) >= 0:
                    spans.append((opened, match.end()))
            elif kind == "\\":
                if not depth:
                    spans.append(match.span())
            elif kind != "#":
                if HAS_NESTED_FSTRINGS and _is_fstring_with_fields(text, match.start(), token):
                    position = _find_fstring_end(text, match.start())
                    if not depth and text.find("\n", match.start(), position) >= 0:
                        spans.append((match.start(), position))
                    break
                if not depth and "\n" in token:
                    spans.append(match.span())
        else:
            return spans


def _is_fstring_with_fields(text: str, quote: int, token: str) -> bool:
    """Return whether the string `token`, whose opening quote is at `quote`, is an f-string that strings may nest in."""
    if text[quote - 1] not in "fFtTrR" or not quote:
        return False
    start = quote
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    # A longer word before the quote is a keyword, as in `if"x"`.
    if text[start:quote].lower() not in ("f", "fr", "rf", "t", "tr", "rt"):
        return False
    return (len(token) == 1 or "{" in token) and not _is_simple_fstring(token)


def _find_fstring_end(text: str, start: int) -> int:
    """Return the offset after the f-string whose opening quote is at `start`."""
    quote = text[start : start + 3]
    if quote not in ('"""', "'''"):
        quote = quote[0]
    position = start + len(quote)
    find_stop = _LITERAL_STOPS[quote].search
    while stop := find_stop(text, position):
        position = stop.end()
        found = stop.group()
        if found == quote:
            return position
        if found in ("{", "}") and text[position : position + 1] == found:
            position += 1
        elif found == "{":
            position = _find_field_end(text, position, quote)
    return len(text)


def _find_field_end(text: str, position: int, quote: str) -> int:
    """Return the offset after the replacement field whose expression begins at `position`."""
    depth = 0
    while True:
        for match in _find_field_tokens(text, position):
            token = match.group()
            kind = token[0]
            if kind in "([{":
                depth += len(token) == 1
            elif kind in ")]}":
                if not depth:
                    return match.end()
                depth -= 1
            elif kind == ":":
                if not depth:
                    return _find_format_end(text, match.end(), quote)
            elif kind in "\"'" and _is_fstring_with_fields(text, match.start(), token):
                position = _find_fstring_end(text, match.start())
                break
        else:
            return len(text)


def _find_format_end(text: str, position: int, quote: str) -> int:
    """Return the offset after the field whose format specification begins at `position`; braces never double there."""
    find_stop = _LITERAL_STOPS[quote].search
    while stop := find_stop(text, position):
        position = stop.end()
        found = stop.group()
        if found == "}":
            return position
        if found == "{":
            position = _find_field_end(text, position, quote)
    return len(text)
