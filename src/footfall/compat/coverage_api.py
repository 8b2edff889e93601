"""`Coverage`: coverage.py's class for programs that measure themselves, based on footfall's late start and reports."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, ClassVar, Final

from footfall._version import VERSION
from footfall.compat import reports
from footfall.compat.combining import combine_into
from footfall.compat.data import CoverageData
from footfall.compat.errors import CoverageException, CoverageWarning, as_coverage_error, coverage_errors, unsupported
from footfall.compat.measuring import Measured, Measuring, joined_label
from footfall.compat.options import EXCLUSIONS, Options, copied, given, listed, measures_children, refusal
from footfall.compat.plugins import describe, load_plugins
from footfall.compat.preimported import find_preimported
from footfall.compat.settings_view import SettingsView
from footfall.config.configuration import Config, check_concurrency, shown_path
from footfall.errors import FootfallError
from footfall.load.traced_files import find_unexecuted_traced
from footfall.load.unexecuted_files import find_source_directories, find_unexecuted_files
from footfall.record.data.coverage_tables import FileData, arcs_with_lines
from footfall.record.run.directory import settings_from_config

__all__ = ["Coverage"]

Arc = tuple[int, int]
Morfs = Any
"""Modules or file names, one or several; None means everything that was measured."""
Patterns = str | Iterable[str] | None


class _NotGiven:
    """The default of `data_file`, where None is a valid value."""


_NOT_GIVEN: Final = _NotGiven()


def _why_unmeasured(name: str) -> tuple[str, str] | None:
    """Return the message for a source package in which nothing ran; a namespace package has nothing to run."""
    module = sys.modules.get(name)
    if module is None:
        return "module-not-imported", f"Module {name} was never imported."
    if getattr(module, "__file__", None) is None:
        is_namespace = hasattr(module, "__path__")
        return None if is_namespace else ("module-not-python", f"Module {name} has no Python source.")
    return "module-not-measured", f"Module {name} was previously imported, but not measured"


class Coverage:
    """Measures this process from `start` to `stop`; what ran is in memory until `save`."""

    _instances: ClassVar[list[Coverage]] = []

    @classmethod
    def current(cls) -> Coverage | None:
        """Return the instance that was started last and not stopped, None if there is none."""
        return cls._instances[-1] if cls._instances else None

    def __init__(
        self,
        data_file: str | os.PathLike[str] | _NotGiven | None = _NOT_GIVEN,
        data_suffix: str | bool | None = None,
        cover_pylib: bool | None = None,
        auto_data: bool = False,
        timid: bool | None = None,
        branch: bool | None = None,
        config_file: str | os.PathLike[str] | bool = True,
        source: Iterable[str] | None = None,
        source_pkgs: Iterable[str] | None = None,
        source_dirs: Iterable[str] | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        debug: Iterable[str] | None = None,
        concurrency: Patterns = None,
        check_preimported: bool = False,
        context: str | None = None,
        messages: bool = False,
        plugins: Iterable[Callable[..., None]] | None = None,
    ) -> None:
        """Take the settings from the configuration and the arguments, all with coverage.py's meanings.

        `timid` and `debug` have no effect. Raises CoverageException for arguments that a configuration can't have.
        """
        self._no_disk = data_file is None
        self._data_suffix = data_suffix
        self._auto_data = auto_data
        self._warn_no_data = self._warn_unimported_source = True
        self._warn_preimported_source = check_preimported
        self._messages = messages
        self._warnings: list[str] = []
        self._warned_once: set[str] = set()
        with coverage_errors():
            self._options = Options(config_file)
        self._options.config = given(
            self._options.config,
            data_file=None if isinstance(data_file, _NotGiven) or data_file is None else os.fspath(data_file),
            cover_pylib=cover_pylib,
            branch=branch,
            parallel=None if data_suffix is None else bool(data_suffix),
            source=listed(source),
            source_pkgs=listed(source_pkgs),
            source_dirs=listed(source_dirs),
            run_omit=listed(omit),
            report_omit=listed(omit),
            run_include=listed(include),
            report_include=listed(include),
            context=context,
        )
        self._note_without_effect(timid=timid, debug=listed(debug), concurrency=listed(concurrency))
        self._plugin_functions = list(plugins or ())
        self._has_plugins = False
        self._data: CoverageData | None = None
        self._is_unwritten = False
        self._measuring = Measuring(self._disabled)
        self._measured_with = Config()
        self._is_prepared = False
        self._started = False
        self._is_registered = False
        self._directory = ""
        self._note_warnings()

    def _note_warnings(self) -> None:
        """Warn about problems with the configuration."""
        for slug, text in self._settings.warnings:
            if slug != "cover-pylib-ignored":  # `start` refuses this
                self._note((slug, text))

    def _note_without_effect(self, **given: object) -> None:
        """Store settings of `run` that have no effect here. Raises CoverageException for wrong ones."""
        self._settings.without_effect.update(
            (f"run:{name}", value) for name, value in given.items() if value is not None
        )
        with coverage_errors():
            check_concurrency(self._settings.concurrency)

    def __repr__(self) -> str:
        name = None if self._data is None else self._data.data_filename()
        return f"<Coverage @0x{id(self):x} data_file={name!r}>"

    @property
    def config(self) -> SettingsView:
        """The settings, under coverage.py's names."""
        return SettingsView(self._options)

    @property
    def _settings(self) -> Config:
        return self._options.config

    @property
    def data(self) -> CoverageData:
        """What `get_data` returns: coverage.py's name for it before 5.0."""
        return self.get_data()

    def _note(self, message: tuple[str, str]) -> None:
        """Warn about (slug, text), in coverage.py's words, unless the configuration turns that off."""
        slug, text = message
        self._warn(text.removesuffix(f"[{slug}]").rstrip(), slug)

    def _warn(self, msg: str, slug: str | None = None, once: bool = False) -> None:
        if slug in self._settings.disable_warnings or slug in self._warned_once:
            return
        if once and slug:
            self._warned_once.add(slug)
        self._warnings.append(msg)
        warnings.warn(f"{msg} ({slug})" if slug else msg, category=CoverageWarning, stacklevel=3)

    def _disabled(self, name: str, error: BaseException) -> None:
        """Warn about a plugin that failed while it measured."""
        trace = "".join(traceback.format_exception(error))
        with contextlib.suppress(Exception):  # if warnings are errors: not in the program that runs at that moment
            self._warn(f"Disabling plug-in {name!r} due to an exception:\n{trace}")

    def _load_plugins(self) -> None:
        """Load coverage.py's plugins if that was not tried yet. Raises what they raise."""
        if self._has_plugins:
            return
        self._has_plugins = True
        for plugin in load_plugins(self._settings, self._plugin_functions):
            plugin.configure(self)

    def _message(self, text: str) -> None:
        if self._messages:
            sys.stderr.write(f"{text}\n")

    # settings

    def get_option(self, option_name: str) -> Any:
        """Return the value of "section:option". Raises ConfigError."""
        return self._options.get(option_name)

    def set_option(self, option_name: str, value: Any) -> None:
        """Set "section:option" to another value. Raises ConfigError."""
        self._options.set(option_name, value)

    def exclude(self, regex: str, which: str = "exclude") -> None:
        """Add a pattern of lines that do not count; `which`: exclude, partial, partial_always."""
        self._load_plugins()
        self.get_exclude_list(which).append(regex)

    def clear_exclude(self, which: str = "exclude") -> None:
        """Remove all such patterns, the default ones too."""
        self._load_plugins()
        whole, added = EXCLUSIONS[which]
        setattr(self._settings, whole, [])
        if added:
            setattr(self._settings, added, [])

    def get_exclude_list(self, which: str = "exclude") -> list[str]:
        """Return the patterns in effect: the list itself, not a copy."""
        self._load_plugins()
        patterns: list[str] = getattr(self._settings, EXCLUSIONS[which][0])
        return patterns

    # measuring

    def start(self) -> None:
        """Measure what begins in any thread from now on.

        Raises CoverageException if it can't measure with these settings, or another measurement is running. Exceptions
        of a plugin that can't be loaded are passed on.
        """
        self._load_plugins()
        if not self._is_prepared:
            self._prepare()
        config = self._measured_with
        if config.run_include and (config.source or config.source_pkgs or config.source_dirs):
            self._note(("include-ignored", "--include is ignored because --source is set"))
        if self._warn_preimported_source:
            self._warn_preimported(config)
        if self._data is None:
            self._prepare_data()
        try:
            self._measuring.start(config)
        except FootfallError as error:
            raise as_coverage_error(error) from error
        # from here on, modules of the standard library that are called would be measured, if a pattern includes them
        self._started = True
        self._instances.append(self)

    def _prepare(self) -> None:
        """Decide with which settings to measure: as in coverage.py, those of the first start, until `erase`."""
        refused = refusal(self._settings)
        if refused is not None:
            raise refused
        if self._auto_data and not self._is_registered:
            self.load()
        if measures_children(self._settings):
            self._settings.parallel = True  # as in coverage.py: programs continue with `combine`
        self._prepare_data()
        if not self._is_registered:
            self._is_registered = True
            atexit.register(self._end)
        self._measured_with = copied(self._settings)
        self._is_prepared = True

    def _warn_preimported(self, config: Config) -> None:
        with coverage_errors():
            for path in find_preimported(config):
                self._note(("already-imported", f"Already imported a file that will be measured: {path}"))

    def stop(self) -> None:
        """Stop measuring; `start` continues with the same data."""
        if self._instances and self._instances[-1] is self:
            self._instances.pop()
        self._measuring.stop()
        self._started = False

    @contextlib.contextmanager
    def collect(self) -> Iterator[None]:
        """Measure while the block runs."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def switch_context(self, new_context: str) -> str | None:
        """Put what runs from now on into a dynamic context, and return the previous one, as the data names it."""
        if not self._started:
            raise CoverageException("Cannot switch context, coverage is not started")
        if self._settings.dynamic_context not in ("", "none"):
            self._warn("Conflicting dynamic contexts", "dynamic-conflict", once=True)
        before = joined_label(self._measured_with.context, self._measuring.label)
        self._measuring.switch_context(new_context or "")
        return before or None

    def _end(self) -> None:
        """Clean up when the process ends."""
        if self._started:
            self.stop()
        if self._auto_data:
            self.save()
        self._measuring.discard()
        self._measuring.remove_free_places()

    # data

    def load(self) -> None:
        """Read the data from the data file, replacing the data in memory. Raises DataError."""
        self._load_plugins()
        self._measuring.discard_collected()
        if self._settings.parallel and not os.path.exists(self._settings.data_file):
            return
        self._prepare_data(None).read()

    def save(self) -> None:
        """Write the data file. Does nothing in a forked child: its parent has its data too."""
        data = self.get_data()
        if not self._measuring.is_of_parent:
            data.write()
        self._is_unwritten = False

    def erase(self) -> None:
        """Forget all data, and remove the data file; in parallel mode also files whose names begin with its name."""
        self._load_plugins()
        was_started = self._started
        self._measuring.discard()
        self._detach()
        self._prepare_data(None).erase(parallel=self._settings.parallel)
        self._detach()
        self._is_prepared = False
        if was_started:
            self._prepare_data()
            self._measuring.start(self._measured_with)

    def _detach(self) -> None:
        """Stop using the data object: whoever still has it may do anything with it."""
        if self._data is not None:
            self._data._before_erase = None
        self._data = None

    def get_data(self) -> CoverageData:
        """Return the data, with everything measured until now; measuring continues if it was started."""
        self._load_plugins()
        data = self._prepare_data(None)
        with coverage_errors():
            measured = self._measuring.collect()
            if not measured.is_empty:
                self._add(data, measured)
                self._is_unwritten = True
        return data

    def _prepare_data(self, suffix: str | bool | None | _NotGiven = _NOT_GIVEN) -> CoverageData:
        """Return the data, created now if there is none; without `suffix`, under the name for measuring."""
        self._directory = self._directory or os.getcwd()
        if self._data is None:
            if isinstance(suffix, _NotGiven):
                is_parallel = self._settings.parallel and self._data_suffix is not False
                suffix = self._data_suffix or is_parallel or None
            self._data = CoverageData(self._settings.data_file, suffix=suffix, no_disk=self._no_disk, warn=self._warn)
            self._data._before_erase = self._measuring.cut
        return self._data

    def _add(self, data: CoverageData, measured: Measured) -> None:
        """Add what was measured, and the files of the sources in which nothing ran."""
        config = self._measured_with
        name_of = shown_path if self._settings.relative_files else str
        labels: dict[str, dict[str, FileData]] = {}
        for path, found in measured.files.items():
            without = set() if path in measured.earlier else {config.context}
            for label in {*found.lines, *found.arcs} or without:
                labels.setdefault(label, {})[name_of(path)] = found
        data.add_arcs({}) if config.branch else data.add_lines({})
        before = data.set_context(None)
        for label, files in labels.items():
            data.set_context(label)
            if config.branch:
                data.add_arcs(
                    {
                        name: arcs_with_lines(found.arcs.get(label, set()), found.lines.get(label, set()))
                        for name, found in files.items()
                    }
                )
            else:
                data.add_lines({name: found.lines.get(label, set()) for name, found in files.items()})
        data.set_context(before)
        data.add_file_tracers({name_of(path): found.tracer for path, found in measured.files.items() if found.tracer})
        paths = measured.earlier.union(measured.files)
        unexecuted, traced, never_imported = self._find_unexecuted(paths)
        if self._warn_unimported_source:
            for name in never_imported:
                message = _why_unmeasured(name)
                if message is not None:
                    self._note(message)
        for message in measured.messages:
            if message[0] != "plugins-settrace":  # coverage.py, which these programs expect, knows no faster way
                self._note(message)
        if not data and self._warn_no_data:
            self._note(("no-data-collected", "No data was collected."))
        # files that ran without a line, such as empty ones, are measured too
        data.touch_files([name_of(path) for path in (*measured.files, *unexecuted)])
        for path, name in traced.items():
            if path not in paths:
                data.touch_file(name_of(path), name)

    def _find_unexecuted(self, measured: set[str]) -> tuple[set[str], dict[str, str], list[str]]:
        """Return the files of the sources in which nothing ran, those of plugins by plugin, and packages that are not
        imported."""
        config = self._measured_with
        if not (config.source or config.source_dirs or config.source_pkgs):
            return set(), {}, []
        settings = settings_from_config(config)
        unexecuted, never_imported = find_unexecuted_files(
            measured,
            settings.source_dir,
            settings.source_pkg,
            settings.omit,
            namespace_packages=config.include_namespace_packages,
        )
        failures: list[tuple[str, str]] = []
        directories = find_source_directories(measured, settings.source_dir, settings.source_pkg)
        traced = find_unexecuted_traced(config.file_tracers, directories, settings.omit, failures)
        for failure in failures:
            self._note(failure)
        return unexecuted, traced, never_imported

    def combine(self, data_paths: Iterable[str] | None = None, strict: bool = False, keep: bool = False) -> None:
        """Add other data files, and remove them unless `keep`; the data file is written, so that nothing is lost.

        Raises NoDataError with `strict` if there is nothing, DataError for files with and without branches.
        """
        data = self.get_data()
        with coverage_errors():
            combine_into(
                data, self._settings, data_paths, strict=strict, keep=keep, warn=self._warn, message=self._message
            )

    def sys_info(self) -> list[tuple[str, Any]]:
        """Return names and values that say what measures here, and with which settings."""
        self._load_plugins()
        settings = self._settings
        return [
            ("footfall", VERSION),
            ("plugins.file_tracers", describe(settings.file_tracers)),
            ("plugins.context_switchers", describe(settings.context_plugins)),
            ("configs_attempted", settings.config_files_attempted),
            ("configs_read", settings.config_files_read),
            ("config_file", settings.config_file),
            ("data_file", "-none-" if self._data is None else self._data.data_filename()),
            ("python", sys.version.replace("\n", "")),
            ("executable", sys.executable),
            ("pid", os.getpid()),
            ("cwd", os.getcwd()),
            ("path", sys.path),
        ]

    # results

    def analysis(self, morf: object) -> tuple[str, list[int], list[int], str]:
        """Return the same as `analysis2`, without the excluded lines."""
        path, statements, _, missing, text = self.analysis2(morf)
        return path, statements, missing, text

    def analysis2(self, morf: object) -> tuple[str, list[int], list[int], list[int], str]:
        """Return for a module or file: its path, statements, excluded and missing lines, and the missing as text."""
        with coverage_errors():
            result = reports.analyze(self._settings, self.get_data(), morf)
        return (
            result.path,
            sorted(result.statements),
            sorted(result.excluded),
            sorted(result.missing),
            result.missing_text(branches=False),
        )

    def branch_stats(self, morf: object) -> dict[int, tuple[int, int]]:
        """Return, for each line with branches, how many ways out it has, and how many were taken."""
        with coverage_errors():
            return dict(reports.analyze(self._settings, self.get_data(), morf).branch_stats)

    def report(
        self,
        morfs: Morfs = None,
        show_missing: bool | None = None,
        ignore_errors: bool | None = None,
        file: IO[str] | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        skip_covered: bool | None = None,
        contexts: list[str] | None = None,
        skip_empty: bool | None = None,
        precision: int | None = None,
        sort: str | None = None,
        output_format: str | None = None,
    ) -> float:
        """Write the text report to `file` or stdout, and return the total percentage.

        Raises NoDataError, NoSource, NotPython, ConfigError.
        """
        config = given(
            self._report_config(ignore_errors, omit, include, contexts),
            show_missing=show_missing,
            skip_covered=skip_covered,
            skip_empty=skip_empty,
            precision=precision,
            sort=sort,
            format=output_format,
        )
        with coverage_errors():
            text, total = reports.table(self._wanted(config, morfs))
        (file or sys.stdout).write(text)
        return total

    def html_report(
        self,
        morfs: Morfs = None,
        directory: str | None = None,
        ignore_errors: bool | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        extra_css: str | None = None,
        title: str | None = None,
        skip_covered: bool | None = None,
        show_contexts: bool | None = None,
        contexts: list[str] | None = None,
        skip_empty: bool | None = None,
        precision: int | None = None,
    ) -> float:
        """Write footfall's site, which differs from coverage.py's pages, and return the total percentage.

        `skip_covered`, `skip_empty` and `show_contexts` have no effect, which is reported by a warning. Raises as
        `report`, and CoverageException for `extra_css`.
        """
        if extra_css:
            raise unsupported("html_report(extra_css=...)", "the pages are not coverage.py's", "Leave it out.")
        for name, value in (
            ("skip_covered", skip_covered),
            ("skip_empty", skip_empty),
            ("show_contexts", show_contexts),
        ):
            if value:
                text = f"html_report({name}=True) has no effect: the site has all files."
                self._note(("html-option-ignored", text))
        config = given(
            self._report_config(ignore_errors, omit, include, contexts),
            html_directory=directory,
            html_title=title,
            precision=precision,
        )
        with coverage_errors():
            index, total = reports.html(self._wanted(config, morfs))
        self._message(f"Wrote HTML report to {index}")
        return total

    def xml_report(
        self,
        morfs: Morfs = None,
        outfile: str | None = None,
        ignore_errors: bool | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        contexts: list[str] | None = None,
        skip_empty: bool | None = None,
    ) -> float:
        """Write the Cobertura report, "-" is stdout, and return the total percentage. Raises as `report`."""
        config = given(self._report_config(ignore_errors, omit, include, contexts), skip_empty=skip_empty)
        return self._write("XML report", config, morfs, config.xml_output if outfile is None else outfile)

    def json_report(
        self,
        morfs: Morfs = None,
        outfile: str | None = None,
        ignore_errors: bool | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        contexts: list[str] | None = None,
        pretty_print: bool | None = None,
        show_contexts: bool | None = None,
    ) -> float:
        """Write the JSON report, "-" is stdout, and return the total percentage. Raises as `report`."""
        config = given(
            self._report_config(ignore_errors, omit, include, contexts),
            json_pretty_print=pretty_print,
            json_show_contexts=show_contexts,
        )
        return self._write("JSON report", config, morfs, config.json_output if outfile is None else outfile)

    def lcov_report(
        self,
        morfs: Morfs = None,
        outfile: str | None = None,
        ignore_errors: bool | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        contexts: list[str] | None = None,
    ) -> float:
        """Write the LCOV report, "-" is stdout, and return the total percentage. Raises as `report`."""
        config = self._report_config(ignore_errors, omit, include, contexts)
        return self._write("LCOV report", config, morfs, config.lcov_output if outfile is None else outfile)

    def annotate(
        self,
        morfs: Morfs = None,
        directory: str | None = None,
        ignore_errors: bool | None = None,
        omit: Patterns = None,
        include: Patterns = None,
        contexts: list[str] | None = None,
    ) -> None:
        """Write copies of the sources with a margin that shows what ran. Raises as `report`."""
        config = self._report_config(ignore_errors, omit, include, contexts)
        with coverage_errors():
            reports.annotated(self._wanted(config, morfs), directory)

    def _report_config(
        self, ignore_errors: bool | None, omit: Patterns, include: Patterns, contexts: list[str] | None
    ) -> Config:
        return given(
            self._settings,
            ignore_errors=ignore_errors,
            report_omit=listed(omit),
            report_include=listed(include),
            report_contexts=contexts,
        )

    def _wanted(self, config: Config, morfs: Morfs) -> reports.Wanted:
        data = self.get_data()
        if self._is_unwritten:  # with coverage.py, too, the data file exists once a report was made
            self.save()
        return reports.Wanted(config, data, morfs, self._directory, self._note)

    def _write(self, kind: str, config: Config, morfs: Morfs, output: str) -> float:
        with coverage_errors():
            total = reports.to_file(self._wanted(config, morfs), kind, output)
        if output != "-":
            self._message(f"Wrote {kind} to {output}")
        return total
