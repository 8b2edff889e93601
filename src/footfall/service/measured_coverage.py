"""The coverage of all files as they were measured, for answers about a project that is being edited.

A file that changed since is analysed in its measured text, where that is known. Else it has no numbers: those of its
lines now would be of other code.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from footfall.analyze.source.traced_analysis import TracedAnalysis
from footfall.config.configuration import Config, shown_path
from footfall.errors import FootfallError
from footfall.load.gather import Coverage, ReportedFile, UnreadableFile, gather
from footfall.load.measured_sources import MeasuredSources
from footfall.record.data.qualifications import Message
from footfall.report.coverage.json import Json
from footfall.report.words import plural
from footfall.service.measured_text import state_of_text
from footfall.service.workspace import Workspace

__all__ = ["MeasuredCoverage", "measured_coverage"]


class MeasuredCoverage(NamedTuple):
    """What the data has of all files. `left_out` are those without numbers, `stale_names` all that changed since."""

    coverage: Coverage
    left_out: list[UnreadableFile]
    stale_names: list[str]
    warnings: list[Message]
    sources: MeasuredSources

    def is_stale(self, file: ReportedFile) -> bool | None:
        """Return whether a file changed since; None if that is not known."""
        path = file.result.path
        return None if path in self.sources.unknown else path in self.sources.changed

    def unchanged(self, names: Iterable[str]) -> Json:
        """Return where the lines are now of the files that changed since, among those of these names."""
        wanted = frozenset(names)
        return {
            file.name: state_of_text(path, self.sources.texts[path], True)["unchanged"]
            for file in self.coverage.files
            if file.name in wanted and (path := file.result.path) in self.sources.changed
        }

    def left_out_entry(self) -> list[Json]:
        """Return the files without numbers as answers have them."""
        return [{"name": each.name, "slug": each.slug, "text": each.reason} for each in self.left_out]


def measured_coverage(workspace: Workspace, config: Config) -> MeasuredCoverage:
    """Return the coverage of all files, of the contexts in the settings. Raises as `gather`."""
    contexts = config.report_contexts
    stored = workspace.stored(config, contexts)
    sources = MeasuredSources(config.data_file, workspace.measured_text)

    def read(*, ignore_errors: bool) -> Coverage:
        return gather(
            config,
            config.data_file,
            ignore_errors=ignore_errors,
            contexts=contexts,
            read_source=sources.read_if_known,
            stored=stored,
        )

    try:
        coverage = read(ignore_errors=False)
    except FootfallError as error:
        if error.slug != "source-unknown":
            raise
        coverage = read(ignore_errors=True)  # none can be read, which the answer says of each
    left_out = [*coverage.unreadable, *coverage.ignored]
    warnings = list(coverage.warnings)
    for file in coverage.files:
        if isinstance(file.analysis, TracedAnalysis):
            try:
                sources.need_not_changed(file.result.path, file.stored_paths)
            except FootfallError as error:
                left_out.append(UnreadableFile(file.name, error.slug, error.message))
                warnings.append((error.slug, f"{error.message} It is not in the total."))
    gone = {each.name for each in left_out}
    coverage.files = [file for file in coverage.files if file.name not in gone]
    stale = [shown_path(path) for path in sorted(sources.changed)]
    kept = [file for file in coverage.files if file.result.path in sources.changed]
    return MeasuredCoverage(coverage, left_out, stale, [*warnings, *_note_on_stale(kept)], sources)


def _note_on_stale(files: list[ReportedFile]) -> list[Message]:
    if not files:
        return []
    changed = plural(len(files), "file")
    names = f"{files[0].name} and others" if len(files) > 1 else files[0].name
    text = f"{changed} changed since measured ({names}): numbers and lines are those of the text as measured."
    return [("source-newer", text)]
