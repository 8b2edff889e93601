"""The project that the service speaks of: its directory, settings and data file, and which paths a client may name.

Settings and data are read for each request, so that an answer is always that of the files as they are. The times of a
profile, and the last answers about files, are kept until a file changes that they were made from.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from footfall.config.configuration import Config, canonical_path
from footfall.config.reading import read_config
from footfall.errors import FootfallError, UsageError
from footfall.load.gather import absolute_path_mapper, name_filter, path_mapper
from footfall.record.data.contexts_of_lines import read_contexts
from footfall.record.data.coverage_tables import StoredCoverage, read_coverage, read_paths
from footfall.record.data.elsewhere import latest_data_file
from footfall.record.data.source_ids import blob_id
from footfall.report.coverage.json import Json
from footfall.report.times import need_profile, profile_warnings
from footfall.service.file_state import file_state
from footfall.service.line_times import LineTimes, line_times
from footfall.service.profile_part import WHOLE, ProfilePart
from footfall.service.stored_files import StoredFiles
from footfall.session.git import blob

__all__ = ["Workspace"]

_N_TIMES: Final = 2
_N_ANSWERS: Final = 16
"""An editor asks again for the files that it shows."""
_N_TEXTS: Final = 64
_MOST_AHEAD_BYTES: Final = 64 << 20
_FEW_CONTEXTS: Final = 100


class Workspace:
    """A project's directory, which is the current one."""

    def __init__(
        self, *, data_file: str | None = None, config_file: str | None = None, allowed: Sequence[str] = ()
    ) -> None:
        """`allowed` are directories outside the project whose profiles may be opened."""
        self.root = canonical_path(os.curdir)
        self._data_file = data_file
        self._config_file = config_file
        self._usual_data_file = ".coverage"
        self._allowed = [self.root, *map(canonical_path, allowed)]
        self._times: dict[tuple[str, ProfilePart], tuple[Hashable, LineTimes]] = {}
        self._answers: dict[Hashable, tuple[Hashable, Json]] = {}
        self._texts: dict[str, bytes] = {}
        self._stored = StoredFiles()

    def config(self) -> Config:
        """Read the settings in effect. Raises UsageError."""
        config = read_config(self._config_file)
        self._usual_data_file = config.data_file
        config.data_file = self.latest_data_file()
        return config

    def latest_data_file(self) -> str:
        """Return the data file: the one that was named, or where the last run could write it. Costs three `stat`."""
        return self._data_file or latest_data_file(self._usual_data_file)

    def data_path(self, config: Config) -> str:
        """Return the absolute path of the data file."""
        return os.path.join(self.root, config.data_file)

    def source_path(self, config: Config, given: str) -> str:
        """Return the absolute path of a file of the project or of the data. Raises UsageError (`outside-project`)."""
        path = canonical_path(os.path.join(self.root, given))
        if self._is_within(path, [self.root]) or path in self._paths_in_data(config):
            return path
        raise UsageError(
            "outside-project",
            f"{given} is neither in the project, {self.root}, nor in its data.",
            "Start footfall in the project's directory.",
        )

    def optional_source_path(self, config: Config, given: str | None) -> str | None:
        """Return the same, or None without a path. Raises UsageError (`outside-project`)."""
        return None if given is None else self.source_path(config, given)

    def profile_path(self, given: str) -> str:
        """Return the absolute path of a profile that may be opened. Raises UsageError (`outside-project`)."""
        path = canonical_path(os.path.join(self.root, given))
        if self._is_within(path, self._allowed):
            return path
        raise UsageError(
            "outside-project",
            f"The profile {given} is not in the project, {self.root}.",
            "Move it there, or start the service with --allow and its directory.",
        )

    def times(self, config: Config, profile_file: str | None, part: ProfilePart = WHOLE) -> LineTimes:
        """Return the times of a profile, by default the data file's. Raises as `need_profile` and `ProfilePart.of`."""
        path = os.path.abspath(profile_file or config.data_file)
        # the settings decide which file a path means, and which contexts count
        state = file_state(path), repr(config.paths), config.relative_files, tuple(config.report_contexts)
        kept = self._times.pop((path, part), None)
        if kept is None or kept[0] != state:
            profile = need_profile(config, path, config.report_contexts)
            kept = state, line_times(part.of(profile), profile_warnings(path, profile))
        self._times[path, part] = kept
        while len(self._times) > _N_TIMES:
            del self._times[next(iter(self._times))]
        return kept[1]

    def kept(self, key: Hashable, config: Config, path: str, make: Callable[[], Json]) -> Json:
        """Return what `make` returned for the key last time, if neither the data, the source at `path` nor settings
        changed since."""
        read = (self.data_path(config), path, *config.config_files_attempted, "pyproject.toml", ".coveragerc.toml")
        state = tuple(map(file_state, read))
        kept = self._answers.pop(key, None)
        if kept is None or kept[0] != state:
            kept = state, make()
        # what a plugin or git says, and members of archives, can change unseen
        if state[1] is not None and not config.made_plugins and kept[1].get("is_stale") is False:
            self._answers[key] = kept
            while len(self._answers) > _N_ANSWERS:
                del self._answers[next(iter(self._answers))]
        return kept[1]

    def stored(self, config: Config, contexts: Sequence[str], paths: Sequence[str] = ()) -> StoredCoverage:
        """Return what the data file has, of files at these paths alone if there are any. Raises as `read_coverage`."""
        is_wanted = name_filter(config, paths, path_mapper(config)) if paths else None
        if contexts != config.report_contexts:
            return read_coverage(config.data_file, contexts, is_wanted)  # one test's is quickly read
        return self._stored.read(config.data_file, contexts, is_wanted)

    def read_ahead(self) -> None:
        """Read the data file if that is mostly finding what differs between its contexts. Raises as `read_coverage`."""
        config = self.config()
        state = file_state(config.data_file)
        # all is read in a third of a second at most; without contexts each file is read quickly when it is asked for
        if state is not None and state[1] <= _MOST_AHEAD_BYTES and len(read_contexts(config.data_file)) > _FEW_CONTEXTS:
            self.stored(config, config.report_contexts)

    def keep_text(self, text: bytes) -> None:
        """Keep a text that was measured, for when it is edited: not every one is in git."""
        number = blob_id(text)
        self._texts.pop(number, None)
        self._texts[number] = text
        while len(self._texts) > _N_TEXTS:
            del self._texts[next(iter(self._texts))]

    def measured_text(self, number: str) -> bytes | None:
        """Return the text with this git blob id, kept or from git; None if it is in neither."""
        kept = self._texts.get(number)
        return blob(number) if kept is None else kept

    def _paths_in_data(self, config: Config) -> set[str]:
        """Return the absolute paths of the files that the data file has coverage or times of."""
        found: set[str] = set()
        with contextlib.suppress(FootfallError):  # it can't be read, or has one of the two alone
            found.update(map(absolute_path_mapper(config), read_paths(config.data_file)))
        with contextlib.suppress(FootfallError):
            found.update(map(canonical_path, self.times(config, None).by_path))
        return found

    @staticmethod
    def _is_within(path: str, directories: Sequence[str]) -> bool:
        return any(path == each or path.startswith(each.rstrip("/") + "/") for each in directories)
