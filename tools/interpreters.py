#!/usr/bin/env python3
"""Install the Pythons that the tests run on and this machine lacks, for this user and beside the system's own.

    python3 tools/interpreters.py                  # all of them, into ~/.interpreters
    python3 tools/interpreters.py 3.14 pypy3.11    # only these
    python3 tools/interpreters.py --to DIRECTORY

Prints a line for each and ends with 1 where one could not be had. There are two ways. `uv python install` takes builds
that are made for this, but needs GitHub. Where uv cannot reach it, CPython 3.14, 3.15 and PyPy come as packages of a
newer Debian release (Debian and root only): they are unpacked with their own C library into one folder, so nothing of
the system changes. `.ci/run` calls this first; it takes seconds where there is nothing to do.
"""

from __future__ import annotations

import argparse
import lzma
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
from pathlib import Path, PurePosixPath

VERSIONS = ["3.11", "3.12", "3.13", "3.14", "3.15", "pypy3.11"]

DEBIAN_RELEASE = "sid"
DEBIAN_PACKAGES = {
    "3.14": ["python3.14", "libpython3.14-dev"],
    "3.15": ["python3.15", "libpython3.15-dev"],
    "pypy3.11": ["pypy3", "pypy3-dev"],
}
NOT_NEEDED = {"tzdata", "netbase", "media-types"}

# Prints nothing and fails where a module of C is missing that the tests need.
IS_WHOLE = "import ctypes, sqlite3, ssl, zlib"
WHICH = """
import platform, sys
print("pypy" if platform.python_implementation() == "PyPy" else "", "%d.%d" % sys.version_info[:2], sep="")
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("versions", nargs="*", metavar="VERSION", help=f"of {', '.join(VERSIONS)}")
    parser.add_argument("--to", type=Path, default=Path.home() / ".interpreters", metavar="DIRECTORY")
    options = parser.parse_args()
    unknown = set(options.versions) - set(VERSIONS)
    if unknown:
        parser.error(f"not one of {', '.join(VERSIONS)}: {', '.join(sorted(unknown))}")
    wanted = options.versions or VERSIONS
    missing = [version for version in wanted if find(version, options.to) is None]
    if missing:
        install_by_uv(missing, options.to)
        missing = [version for version in missing if find(version, options.to) is None]
    if missing:
        install_from_debian([version for version in missing if version in DEBIAN_PACKAGES], options.to)
    for version in wanted:
        print(f"{version}: {find(version, options.to) or 'not here'}")
    return int(any(find(version, options.to) is None for version in wanted))


def find(version: str, folder: Path) -> Path | None:
    """Return the interpreter of a version that works, in our folder, pyenv's or on the PATH."""
    is_pypy = version.startswith("pypy")
    names = [version, "pypy3"] if is_pypy else [f"python{version}"]
    candidates = [folder / "bin" / name for name in names]
    if not is_pypy:
        candidates += sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"), reverse=True)
    candidates += [Path(path) for name in names if (path := shutil.which(name))]
    return next((path for path in candidates if path.exists() and _version_of(path) == version), None)


def _version_of(python: Path) -> str:
    """Return what an interpreter says it is, "" where it does not work (pyenv has shims that lead nowhere)."""
    done = subprocess.run([python, "-I", "-c", f"{IS_WHOLE}\n{WHICH}"], capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def install_by_uv(versions: list[str], folder: Path) -> None:
    """Take uv's builds; nothing happens without uv or a connection."""
    uv = shutil.which("uv")
    if uv is None:
        return
    environment = {**os.environ, "UV_PYTHON_BIN_DIR": str(folder / "bin"), "UV_HTTP_RETRIES": "0"}
    where = ["--install-dir", str(folder / "uv")]
    for version in versions:
        done = subprocess.run([uv, "python", "install", "-q", version, *where], env=environment, stderr=subprocess.PIPE)
        if b"rror sending request" in done.stderr:
            break  # nor will the others be reached


def install_from_debian(versions: list[str], folder: Path) -> None:
    """Unpack Debian packages and all that they need into `folder`/root, and link the interpreters in `folder`/bin."""
    if not versions or os.getuid() != 0 or shutil.which("dpkg-deb") is None:
        return
    if shutil.which("patchelf") is None:
        for command in (["update"], ["install", "-y", "patchelf"]):
            subprocess.run(["apt-get", "-qq", *command], check=True, stdout=subprocess.DEVNULL)
    mirror = _debian_mirror()
    if mirror is None:
        return
    root = folder / "root"
    root.mkdir(parents=True, exist_ok=True)
    names = [name for version in versions for name in DEBIAN_PACKAGES[version]]
    with tempfile.TemporaryDirectory() as downloads:
        for path in sorted(_files_of_packages(_read_index(mirror), names)):
            package = Path(downloads, PurePosixPath(path).name)
            with urllib.request.urlopen(f"{mirror}/{path}", timeout=300) as source, package.open("wb") as target:
                shutil.copyfileobj(source, target)
            subprocess.run(["dpkg-deb", "-x", package, root], check=True)
    # Debian's python3.X-config.h of the machine is found beside the other headers.
    for headers in (root / "usr/include/x86_64-linux-gnu").glob("python3.*"):
        inside = root / "usr/include" / headers.name / "x86_64-linux-gnu" / headers.name
        shutil.copytree(headers, inside, dirs_exist_ok=True)
    (folder / "bin").mkdir(exist_ok=True)
    for version in versions:
        _link_interpreter(root, DEBIAN_PACKAGES[version][0], folder / "bin")


def _debian_mirror() -> str | None:
    """Return the address that this machine's apt takes Debian from."""
    named = re.compile(r"^(?:URIs:\s*|deb\s+(?:\[.*?\]\s*)?)(https?://\S+/debian)/?\s", re.MULTILINE)
    files = [Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")]
    found = (named.search(path.read_text()) for path in files if path.is_file())
    return next((match[1] for match in found if match), None)


def _read_index(mirror: str) -> dict[str, dict[str, str]]:
    """Return the release's packages, by their names and by what they provide."""
    address = f"{mirror}/dists/{DEBIAN_RELEASE}/main/binary-amd64/Packages.xz"
    with urllib.request.urlopen(address, timeout=120) as answer:
        text = lzma.decompress(answer.read()).decode()
    packages: dict[str, dict[str, str]] = {}
    provided: dict[str, dict[str, str]] = {}
    for block in text.split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", block, re.MULTILINE))
        if "Package" in fields:
            packages[fields["Package"]] = fields
            for name in re.split(r",\s*", fields.get("Provides", "")):
                provided.setdefault(name.partition(" ")[0], fields)
    return provided | packages


def _files_of_packages(packages: dict[str, dict[str, str]], names: list[str]) -> set[str]:
    """Return the paths, on the mirror, of packages and of all that they depend on."""
    chosen: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        fields = packages.get(waiting.pop())
        if fields is None or fields["Package"] in chosen or fields["Package"] in NOT_NEEDED:
            continue
        chosen[fields["Package"]] = fields["Filename"]
        depends = f"{fields.get('Depends', '')}, {fields.get('Pre-Depends', '')}"
        waiting += re.findall(r"(?:^|,)\s*([^\s,:(|]+)", depends)  # of alternatives the first
    return set(chosen.values())


def _link_interpreter(root: Path, name: str, binaries: Path) -> None:
    """Have an unpacked interpreter use the C library that was unpacked with it."""
    binary = root / "usr/bin" / name
    if binary.is_symlink():
        target = os.readlink(binary)
        binary = root / target.lstrip("/") if target.startswith("/") else binary.parent / target
    loader = next(path for path in root.rglob("ld-linux-x86-64.so.2") if path.exists())
    libraries = f"{root}/usr/lib/x86_64-linux-gnu:{root}/lib/x86_64-linux-gnu"
    subprocess.run(
        ["patchelf", "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, binary], check=True
    )
    link = binaries / name
    link.unlink(missing_ok=True)
    link.symlink_to(binary)


if __name__ == "__main__":
    sys.exit(main())
