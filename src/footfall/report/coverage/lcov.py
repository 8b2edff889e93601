"""The LCOV report, as coverage.py 7.17 writes it: for genhtml, editors and code review sites.

Pure: results in, text out.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator

from footfall.analyze.results import FileResult
from footfall.analyze.source.regions import FUNCTION, find_regions, narrow_result
from footfall.load.gather import Coverage, ReportedFile
from footfall.printable import question_marked

__all__ = ["render_lcov"]


def render_lcov(coverage: Coverage, *, skip_empty: bool = False, with_checksums: bool = False) -> str:
    """Return the records of all files, in the order of their names.

    `with_checksums` adds a checksum of each line: then sources are read, which raises as `read_source`.
    """
    records: list[str] = []
    for file in sorted(coverage.files, key=lambda file: (file.name, file.result.path)):
        if skip_empty and not file.result.numbers.n_statements:
            continue
        records.append(f"SF:{question_marked(file.name)}")
        records += _lines(file.result, file.read_text().splitlines() if with_checksums else None)
        records += _functions(file)
        if file.result.has_arcs:
            records += _branches(file)
        records.append("end_of_record")
    return "".join(f"{record}\n" for record in records)


def _lines(result: FileResult, source_lines: list[str] | None) -> Iterator[str]:
    for line in sorted(result.statements):
        checksum = "" if source_lines is None else f",{_checksum(source_lines[line - 1])}"
        yield f"DA:{line},{int(line not in result.missing)}{checksum}"
    numbers = result.numbers
    if numbers.n_statements:
        yield f"LF:{numbers.n_statements}"
        yield f"LH:{numbers.n_executed}"


def _checksum(line: str) -> str:
    """Return a line's checksum: by the format's definition, MD5 in base64 without padding."""
    digest = hashlib.md5(line.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()
    return base64.b64encode(digest).decode("ascii").rstrip("=")


def _functions(file: ReportedFile) -> Iterator[str]:
    regions = sorted(
        (min(region.start, *region.lines), max(region.start, *region.lines), region.name, region.lines)
        for region in find_regions(file.analysis)
        if region.kind == FUNCTION and region.lines
    )
    if not regions:
        return
    results = narrow_result(file.result, [lines for *_, lines in regions])
    n_found = n_executed = 0
    names: set[str] = set()
    for (first, last, name, _), result in zip(regions, results, strict=True):
        if not result.numbers.n_statements:
            continue
        n_found += 1
        is_executed = result.numbers.n_executed > 0
        n_executed += is_executed
        name = question_marked(name)
        if name in names:
            name += f"@{first}"
        names.add(name)
        yield f"FN:{first},{last},{name}"
        yield f"FNDA:{int(is_executed)},{name}"
    yield f"FNF:{n_found}"
    yield f"FNH:{n_executed}"


def _branches(file: ReportedFile) -> Iterator[str]:
    result = file.result
    ends_of: dict[int, list[tuple[int, str]]] = {line: [] for line in result.branch_stats}
    for start, end in result.executed_branches:
        ends_of[start].append((end, "1"))
    for start, end in result.missing_branches:
        # if none of a line's branches was taken, nothing can be said: the line may always have raised
        ends_of[start].append((end, "0" if result.branch_stats[start][1] else "-"))
    for line in sorted(result.statements):
        # branches that leave the function come last: they read as the branch not taken
        for end, taken in sorted(ends_of.get(line, ()), key=lambda way: (way[0] < 0, way)):
            yield f"BRDA:{line},0,{question_marked(file.analysis.arc_description(line, end))},{taken}"
    n_possible = sum(possible for possible, _ in result.branch_stats.values())
    if n_possible:
        yield f"BRF:{n_possible}"
        yield f"BRH:{sum(taken for _, taken in result.branch_stats.values())}"
