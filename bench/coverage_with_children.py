"""coverage.py's command, measuring child processes as footfall always does, whatever the project configures.

    python bench/coverage_with_children.py run --branch -m pytest

Adds coverage.py's own `patch = subprocess, fork, _exit` to what the configuration says, for this command alone.
"""

import os
import sys

from coverage import cmdline
from coverage.config import CoverageConfig

_finish = CoverageConfig.post_process


def _finish_with_children(config: CoverageConfig) -> None:
    config.patch = sorted({*config.patch, "subprocess", "fork", "_exit"})
    config.config_file = config.config_file or os.devnull  # children need to be told of one
    _finish(config)


CoverageConfig.post_process = _finish_with_children  # type: ignore[method-assign]
sys.exit(cmdline.main())
