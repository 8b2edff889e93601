"""Build the C extensions and put the start hook beside the package.

Everything declarative is in pyproject.toml; here is only what setuptools cannot declare:
the extensions (CPython with the GIL on Linux only, elsewhere footfall is pure Python) and `footfall.pth`, which must
land in the root of site-packages.

Where the extensions can't be built, footfall is installed without them, unless FOOTFALL_CORE=require is set, or
FOOTFALL_WERROR or FOOTFALL_SANITIZE, which are about them. FOOTFALL_CORE=none leaves them out.
"""

import glob
import os
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py
from setuptools.errors import BaseError, CCompilerError

HOOK = "footfall.pth"

FLAGS = ["-std=c11", "-O2", "-g", "-fvisibility=hidden", "-Wall", "-Wextra", "-Wshadow"]
FLAGS.append(f"-ffile-prefix-map={os.getcwd()}=.")  # debug information names no directory: two builds are equal
LINK_FLAGS: list[str] = []
if os.environ.get("FOOTFALL_WERROR"):
    FLAGS.append("-Werror")
if os.environ.get("FOOTFALL_SANITIZE"):
    FLAGS += ["-fsanitize=" + os.environ["FOOTFALL_SANITIZE"], "-fno-omit-frame-pointer", "-O1"]
    LINK_FLAGS.append("-fsanitize=" + os.environ["FOOTFALL_SANITIZE"])


CORE = os.environ.get("FOOTFALL_CORE", "")
CORE_IS_REQUIRED = CORE == "require" or any(map(os.environ.get, ("FOOTFALL_WERROR", "FOOTFALL_SANITIZE")))


class BuildExtensionsOrNone(build_ext):
    """Build all extensions; where one can't be, none of them."""

    def run(self) -> None:
        try:
            super().run()
        except (BaseError, CCompilerError) as error:
            if CORE_IS_REQUIRED:
                raise
            self.warn(f"footfall is built without its C core, and measures in Python: {error}")
            for path in map(self.get_ext_fullpath, [each.name for each in self.extensions]):
                if os.path.exists(path):
                    os.remove(path)
            self.extensions = []


class BuildPyWithHook(build_py):
    """Copy the start hook to the root of the built tree."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            self.copy_file(HOOK, os.path.join(self.build_lib, HOOK))

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:
        return [*super().get_outputs(include_bytecode), os.path.join(self.build_lib, HOOK)]


def sources(place: str) -> list[str]:
    """The C files of a folder and of those in it; or the one file."""
    return [place] if place.endswith(".c") else glob.glob(f"{place}/**/*.c", recursive=True)


def extensions() -> list[Extension]:
    if sys.implementation.name != "cpython" or sys.platform != "linux" or CORE == "none":
        return []
    if "free-threading" in sys.version:
        return []  # the core needs the GIL, and importing it would switch that on
    folders = {
        "footfall._core": ("core_module.c", "core", "record", "walk", "engines", "sampler", "inside", "remote"),
        "footfall._decode": ("decode",),
    }
    return [
        Extension(
            extension,
            sources=sorted(source for place in places for source in sources(f"native/{place}")),
            depends=sorted(glob.glob("native/**/*.h", recursive=True)),
            include_dirs=["native"],
            define_macros=[("_GNU_SOURCE", "1")],
            extra_compile_args=FLAGS,
            extra_link_args=LINK_FLAGS,
        )
        for extension, places in folders.items()
    ]


setup(ext_modules=extensions(), cmdclass={"build_ext": BuildExtensionsOrNone, "build_py": BuildPyWithHook})
