"""--native: C functions of the program's own extensions, between the Python frames that call them and that they call."""

import collections
import functools
import io
import math
import os
import platform
import random
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from footfall.analyze.native.code_files import CodeFile
from footfall.analyze.native.inlined import InlinedFunctions
from footfall.analyze.profile.calltree import NATIVE, Profile, profile_of_logs, times_of_lines
from footfall.analyze.profile.clocks import Clock, reader, sum_of_squares
from footfall.analyze.profile.native_frames import fold_native_frames
from footfall.analyze.profile.rows import profile_from_rows
from footfall.errors import FootfallError
from footfall.record.data.profile_tables import read_profile
from footfall.record.run.sample_log import SampleLog, read_sample_log
from native_extension import INNER, OUTER, build_extension

IS_POSSIBLE = sys.implementation.name == "cpython" and sys.version_info >= (3, 12) and platform.machine() == "x86_64"
possible = pytest.mark.skipif(not IS_POSSIBLE, reason="--native is refused here")

Footfall = Callable[..., subprocess.CompletedProcess[str]]
Stacks = collections.Counter[tuple[str, ...]]

PRELUDE = """
import os, signal, sys, threading, time
from footfall import _core
sys.setrecursionlimit(20000)
sys.path.insert(0, sys.argv[2])
path = sys.argv[1]
"""

PROGRAMS = {
    "threads": """
    def work():
        end = time.monotonic() + 0.7
        while time.monotonic() < end:
            spinning.spin_without_gil(30000, 30000)
            spinning.call(lambda: spinning.spin(3000, 3000))
    threads = [threading.Thread(target=work) for _ in range(4)]
    for each in threads: each.start()
    for each in threads: each.join()
    """,
    "forks": """
    _core.sampler_stop()
    from footfall.observe.sampler import inside
    inside.start(os.path.dirname(path), 5000, 0, True, False, True)
    for _ in range(20):
        spinning.spin(1000000, 1000000)
        pid = os.fork()
        if not pid:
            spinning.spin(1000000, 1000000)
            os._exit(0)
        assert os.waitpid(pid, 0)[1] == 0
    """,
    "signals that are blocked": """
    signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    for _ in range(100): spinning.spin(30000, 30000)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    for _ in range(2000): spinning.spin(30000, 30000)
    """,
    "another stack": """
    for _ in range(100): spinning.spin_elsewhere()
    """,
    "a deep stack": """
    threading.stack_size(64 << 20)
    def down(n):
        if n: spinning.call(lambda: down(n - 1))
        else: spinning.spin(5000000, 5000000)
    def work():
        for _ in range(10): down(400)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    """,
}


@pytest.fixture(scope="module")
def extension(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the compiled module `spinning`."""
    return build_extension(tmp_path_factory.mktemp("extension")).parent


def sample_program(program: str, extension: Path, path: Path) -> SampleLog:
    """The log of a program that must end well and silently, sampled 5,000 times a second."""
    start = "import spinning\n_core.sampler_start(path, 200000, precise=True, native=True)\n"
    command = [sys.executable, "-c", PRELUDE + start + textwrap.dedent(program), str(path), str(extension)]
    environment = {key: value for key, value in os.environ.items() if key != "FOOTFALL_RUN"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=50, env=environment)
    assert (done.returncode, done.stderr) == (0, "")
    return read_sample_log(str(path))


def stacks_of(profile: Profile) -> Stacks:
    """The number of samples by stack of names, outermost first; C functions without their library."""
    names: list[tuple[str, ...]] = [()]
    for parent, frame in profile.nodes[1:]:
        names.append((*names[parent], profile.frames[frame].function.qualname.removesuffix(" (spinning.so)")))
    found: Stacks = collections.Counter()
    for (node, _, _), cost in profile.costs.items():
        found[names[node]] += cost.samples
    return found


def collapsed_stacks(footfall: Footfall, clock: str) -> Stacks:
    """Samples, or microseconds of a clock, by stack of names, outermost first; C functions without their library."""
    exported = footfall("export", "--format", "collapsed", "--clock", clock, "-o", "-").stdout
    stacks: Stacks = collections.Counter()
    for line in exported.replace(" (spinning.so)", "").splitlines():
        stack, _, count = line.rpartition(" ")
        stacks[tuple(frame.partition(" (")[0] for frame in stack.split(";"))] += int(count)
    return stacks


SPIN = ("<module>", "main", "<native> call", "<native> call_function", "called", "<native> spin")
SPIN_OUTER = (*SPIN, "<native> spin_outer")
SPIN_INNER = (*SPIN_OUTER, "<native> spin_inner")


def spun(footfall: Footfall, data: Path) -> tuple[float, float, float]:
    """The microseconds of the outer function and of both in a data file, and how many equal samples have their error.

    Looks at a thread that waits for a processor find it where it was, so shares are of CPU time, and samples count for more
    where it was found late.
    """
    counts, times = (collapsed_stacks(footfall, clock) for clock in ("samples", "cpu"))
    assert {stack for stack in counts if "<native> spin_outer" in stack} == {SPIN_OUTER, SPIN_INNER}
    n_samples, microseconds = (each[SPIN_OUTER] + each[SPIN_INNER] for each in (counts, times))
    assert n_samples > 200
    stored = read_profile(data)
    assert stored is not None
    profile = profile_from_rows(stored)
    read = reader(Clock.CPU)
    sample_us = sum_of_squares(profile, read) / sum(map(read, profile.costs.values())) / 1000
    return times[SPIN_OUTER], microseconds, min(n_samples, microseconds / max(sample_us, 1000))


@possible
def test_shares_of_functions_are_right(footfall: Footfall, extension: Path, tmp_path: Path) -> None:
    """Two nested functions have the shares that they spin, in a stack of Python and C in the order of the calls.

    One run in 370 is off by more than three standard errors, by chance: further ones are added to it then. It reads its clock
    seldom, since a kernel gives the CPU to others where a thread's clock is read: looks would be in step with the loop.
    """
    (tmp_path / "program.py").write_text(
        textwrap.dedent(f"""
        import sys, time
        sys.path.insert(0, {str(extension)!r})
        import spinning
        def called():
            spinning.spin({OUTER}, {INNER})
        def main():
            while time.thread_time() < 1.5:
                for _ in range(100):
                    spinning.call(called)
        main()
        """)
    )
    share = OUTER / (OUTER + INNER)
    found = (0.0, 0.0, 0.0)
    for _ in range(3):
        done = footfall("run", "-q", "--native", "--rate", "1000", "program.py")
        assert (done.returncode, done.stderr) == (0, "")
        found = tuple(map(sum, zip(found, spun(footfall, tmp_path / ".coverage"), strict=True)))
        outer, both, n_independent = found
        if abs(outer / both - share) <= 3 * math.sqrt(share * (1 - share) / n_independent):
            break
    else:
        raise AssertionError(found)
    table = footfall("report", "--by", "function").stdout
    assert "called" in table
    assert NATIVE.strip() not in table


@possible
def test_inlined_functions_are_frames(extension: Path, tmp_path: Path) -> None:
    """Each below the function that contains it, with the time that it takes, from the debug information."""
    spin = f"[spinning.spin_inlined({OUTER}, {INNER}) for _ in range(100)]"
    log = sample_program(f"while time.thread_time() < 1: {spin}", extension, tmp_path / "a.smp")
    profile = profile_of_logs([log])
    assert profile is not None
    stacks = {stack[1:]: count for stack, count in stacks_of(profile).items() if "<native> spin_around" in stack}
    outer = ("<native> spin_inlined", "<native> spin_around", "<native> inlined")
    inner = (*outer, "<native> inlined_deeper")
    assert stacks[outer] > 0
    assert stacks[inner] > stacks[outer]  # three times as many steps
    assert sum(stacks.values()) - stacks[outer] - stacks[inner] <= 0.01 * sum(stacks.values())


@possible
@pytest.mark.parametrize("name", PROGRAMS)
def test_any_program_runs_on(name: str, extension: Path, tmp_path: Path) -> None:
    """Whatever a program does with threads, signals and stacks, it ends as without us, and C functions are seen.

    With and without their frames, lines have the same times.
    """
    log = sample_program(PROGRAMS[name], extension, tmp_path / "a.smp")
    logs = [log, *(read_sample_log(str(path)) for path in tmp_path.glob("[0-9]*.smp"))]
    profile = profile_of_logs(logs)
    assert profile is not None
    stacks = stacks_of(profile)
    inner = sum(
        count for stack, count in stacks.items() if stack[-2:] == ("<native> spin_outer", "<native> spin_inner")
    )
    assert inner >= 3
    folded = fold_native_frames(profile)
    assert len(folded.nodes) < len(profile.nodes)
    assert folded.total() == profile.total()
    assert times_of_lines(folded) == times_of_lines(profile)
    if name == "a deep stack":
        complete = [stack for stack in stacks if stack[-1:] == ("<native> spin_inner",)]
        assert all(stack.count("down") == 401 for stack in complete)
        assert all(stack.count("<native> call") > 20 for stack in complete)
        # of all the calls from C, the youngest are known: each is in its place
        assert all(stack[-6:-3] == ("<native> call_function", "down.<locals>.<lambda>", "down") for stack in complete)


@possible
def test_names_of_cpp_functions_are_written_out(tmp_path: Path) -> None:
    """With their parameters; what only looks like such a name, and one of C, stays as it is."""
    from elftools.elf.elffile import ELFFile

    names = ("_ZN6prices5roundEdi", "_ZN6prices", "plain")
    text = "\n".join(
        f'int f{at}(void) __asm__("{name}"); int f{at}(void) {{ return {at}; }}' for at, name in enumerate(names)
    )
    (tmp_path / "prices.c").write_text(text)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", "prices.so", "prices.c"], cwd=tmp_path, check=True)
    code = CodeFile("prices.so")
    with open(tmp_path / "prices.so", "rb") as file:
        code.load(file)
        symbols = ELFFile(file).get_section_by_name(".symtab")
        addresses = [symbols.get_symbol_by_name(name)[0]["st_value"] for name in names]
    assert [code.function(each, None) for each in addresses] == ["prices::round(double, int)", *names[1:]]


@possible
def test_a_changed_file_has_no_names(footfall: Footfall, extension: Path, tmp_path: Path) -> None:
    """Functions of a file that was written again after it was loaded are not named by its new content."""
    shutil.copy(extension / "spinning.so", tmp_path)
    (tmp_path / "program.py").write_text(
        textwrap.dedent("""
        import os, sys, time
        sys.path.insert(0, os.getcwd())
        import spinning
        while time.thread_time() < 0.3:
            spinning.spin(30000, 30000)
        content = open("spinning.so", "rb").read()
        os.unlink("spinning.so")  # as an installer does, which keeps times
        with open("spinning.so", "wb") as file: file.write(content)
        os.utime("spinning.so", (1, 1))
        """)
    )
    done = footfall("run", "-q", "--native", "program.py")
    assert done.returncode == 0
    assert done.stderr.count("[native-changed]") == 1
    exported = footfall("export", "--format", "collapsed", "-o", "-").stdout
    assert "<native> (spinning.so)" in exported
    assert "spin_inner" not in exported


@possible
def test_damage_raises_nothing_else(extension: Path, tmp_path: Path) -> None:
    """A damaged log, or a damaged library, is an error of ours or a profile, whatever is damaged."""
    path = tmp_path / "a.smp"
    sample_program("for _ in range(40): spinning.spin(30000, 30000)", extension, path)
    whole = path.read_bytes()
    rng = random.Random(7)
    end = whole.rstrip(b"\0").__len__()
    for number in range(150):
        damaged = bytearray(whole)
        for _ in range(rng.randrange(1, 20)):
            damaged[rng.randrange(end)] = rng.randrange(256)
        other = tmp_path / f"{number}.smp"
        other.write_bytes(damaged)
        try:
            profile_of_logs([read_sample_log(str(other))])
        except FootfallError:
            pass
        other.unlink()
    library = (extension / "spinning.so").read_bytes()
    for _ in range(150):
        damaged = bytearray(library)
        for _ in range(rng.randrange(1, 200)):
            damaged[rng.randrange(len(damaged))] = rng.randrange(256)
        file = CodeFile("spinning.so")
        file.load(io.BytesIO(damaged))
        inlined = InlinedFunctions(functools.partial(io.BytesIO, bytes(damaged)))
        for address in range(0, len(library), 97):
            file.function(address, file.row(address))
            inlined.find(address)


@pytest.mark.skipif(IS_POSSIBLE, reason="not refused here")
def test_refusal_says_why(footfall: Footfall, tmp_path: Path) -> None:
    """Where C functions can't be seen, the profile is without them, and a message says why."""
    (tmp_path / "program.py").write_text("print(1)")
    done = footfall("run", "-q", "--native", "program.py")
    assert (done.returncode, done.stdout) == (0, "1\n")
    assert done.stderr.count("[native-unavailable]") == 1
