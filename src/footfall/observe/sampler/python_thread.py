"""The sampler without the C core, on CPython: a Python thread that looks at `sys._current_frames()`.

It gets the GIL where the other threads give it up: every 5 ms in a busy program (`sys.setswitchinterval`), and only at
calls, starts of functions and ends of loops. So a busy program gets some 200 samples a second, with the lines of such
places; each sample stands for the time since the one before, which keeps the shares of functions right.

The program must not notice the thread. While it holds frames it does not give up the GIL, so nothing that is in a frame
lives longer than it would without. The garbage collector, which could run the program's finalizers in this thread, is
off for that time. The thread receives no signals, and ends before a fork: `os.fork` warns in a process with threads.
"""

import _thread
import atexit
import os
import sys
import time
from _signal import valid_signals  # type: ignore[import-not-found]
from sys import _current_frames

from footfall.files import at_fork, open_flags, system
from footfall.formats import COUNT_CPU, COUNT_LATE, COUNT_SAMPLES, COUNT_TICKS, UNIT_UNKNOWN
from footfall.observe.interruptions import Undisturbed
from footfall.observe.messages import report
from footfall.observe.pure import children as pure_children
from footfall.observe.pure.collector import make_room, pause, resume, sampling_threads, save_room
from footfall.observe.pure.contexts import context_of_thread
from footfall.observe.pure.recorder import PureRecorder
from footfall.observe.pure.sample_log import HIDDEN, PureSampleLog
from footfall.observe.thread_starts import start_plain_thread
from footfall.own_builtins import keep_builtins

keep_builtins(globals())

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType
    from typing import Any

    _Stack = list[tuple[CodeType, int]]

__all__ = ["is_main_interpreter", "start"]

_OWN_FOLDER = os.path.dirname(os.path.dirname(__file__)) + os.sep
"""Frames of what runs inside the program are left out."""
_INTERPRETERS = ("_interpreters", "_xxsubinterpreters")
"""The modules that make interpreters, by the names of the versions."""
_PACED_TICKS = 32
_SLOWEST_NS = 10_000_000
"""100 samples a second are taken, unless that is more than this part of the time:"""
_MAX_BUSY_SHARE = 5
_MAX_REPEAT = 65_535
_MAX_FRAMES = 61_440
_LONGEST_WAIT_S = 1.0
_NEVER = -1
_ROOM_BYTES = 4096  # for the entries of one tick, as a rule
# as they are when measuring begins: the program may replace them
_allocate_lock, _get_ident, _get_native_id = _thread.allocate_lock, _thread.get_ident, _thread.get_native_id
_monotonic_ns, _thread_time_ns, _process_time_ns = time.monotonic_ns, time.thread_time_ns, time.process_time_ns
_sleep = time.sleep
_clock_gettime_ns = getattr(time, "clock_gettime_ns", None)
_access, _open, _read, _close, _stat = system.access, system.open, system.read, system.close, system.stat
_is_linux = sys.platform == "linux"
_TO_READ = open_flags("O_RDONLY")


def start(directory: str, rate_hz: int, max_cpu_ppm: int) -> None:
    """Sample this process up to `rate_hz` times a second into `<directory>/<pid>-<n>.smp`, and its forks likewise.

    `max_cpu_ppm` as for the sampler of the C core. Raises OSError or RuntimeError if it can't start.
    """
    sampler = _Sampler(directory, 1_000_000_000 // rate_hz, max_cpu_ppm)
    sampler.begin()
    atexit.register(sampler.end)
    at_fork(
        before=sampler.before_fork, after_in_parent=sampler.after_fork_parent, after_in_child=sampler.after_fork_child
    )
    for name in ("fork", "forkpty"):
        _follow_fork(sampler, name)


def _has_further_interpreters() -> bool:
    """Return whether the process has made interpreters; up to Python 3.12, whether it is able to."""
    if _INTERPRETERS[1] in sys.modules:  # its list owns what it names: dropping it may end an interpreter
        return True
    module = sys.modules.get(_INTERPRETERS[0])  # concurrent.futures and asyncio load it in every program
    return module is not None and len(module.list_all()) > 1


def is_main_interpreter() -> bool:
    """Return whether this is the process's first interpreter."""
    answer = getattr(_thread, "_is_main_interpreter", None)
    if answer is not None:
        return bool(answer())
    was_loaded = _INTERPRETERS[1] in sys.modules
    import _xxsubinterpreters as interpreters  # type: ignore[import-not-found]

    if not was_loaded:
        del sys.modules[_INTERPRETERS[1]]  # it tells of a program that makes interpreters
    return bool(interpreters.get_current() == interpreters.get_main())


def _follow_fork(sampler: "_Sampler", name: str) -> None:
    """Let the sampler go on only when a function that forks is done: it counts threads after `after_in_parent`."""
    plain: Any = getattr(system, name, None)
    if not callable(plain):
        return

    def finish(result: "Any") -> "Any":
        sampler.is_in_fork = False
        sampler.go_on()
        return result

    def change(args: object, named: object) -> "Callable[[Any], Any]":
        sampler.is_in_fork = True
        return finish

    look_alike = pure_children.wrap(plain, change, None)
    setattr(system, name, look_alike)
    if getattr(os, name, None) is plain:
        setattr(os, name, look_alike)


class _Lane:
    """One thread of the program."""

    __slots__ = ("clock", "context", "cpu_ns", "index", "n_samples", "native_id", "node", "place", "repeat")

    def __init__(self, index: int) -> None:
        self.index = index
        self.native_id = 0
        self.clock: int | None = None
        self.n_samples = 0
        self.node = -1
        self.cpu_ns = 0
        self.context = 0
        self.place: Any = None
        self.repeat = 0

    def know_native_id(self, native_id: int) -> None:
        """Note the kernel's number, by which Linux names the thread's CPU clock (CPUCLOCK_SCHED, per thread)."""
        self.native_id = native_id
        if _is_linux and _clock_gettime_ns is not None:
            self.clock = ~native_id << 3 | 6


class _Sampler:
    """The thread, and what it knows. Everything but starting and ending it is done in it."""

    def __init__(self, directory: str, interval_ns: int, max_cpu_ppm: int) -> None:
        self._directory = directory
        self._interval_ns = interval_ns
        self._max_cpu_ppm = max_cpu_ppm
        self.is_in_fork = False
        self._is_running = False
        self._is_paused = False
        self._own_native_id = 0
        self._clocks = _read_clocks()

    def begin(self) -> None:
        """Begin a log and the thread, in the thread that the process began with or that called fork."""
        self._log = PureSampleLog(self._directory, self._interval_ns)
        self._lanes: dict[int, _Lane] = {}
        self._unnamed: list[_Lane] = []
        """Those whose names are to be read, which gives up the GIL."""
        self._n_threads = 0
        self._first = _get_ident(), _get_native_id()
        self._pace_ns = self._interval_ns
        self._random = self._log.start_ns & 0xFFFFFFFF | 1
        self._cpu_before_ns = 0
        self._run()

    def _run(self) -> None:
        self._is_paused = False
        self._is_running = True
        wall_ns, used_ns, _ = _read_clocks()
        self._clocks = wall_ns, used_ns, 0  # the thread begins with 0
        self._wake = _allocate_lock()
        self._wake.acquire()
        self._done = _allocate_lock()
        self._done.acquire()
        if start_plain_thread is None:
            raise RuntimeError("_thread.start_new_thread was removed")
        # the thread inherits the mask: it must not receive a signal that the program waits for
        with Undisturbed(valid_signals()):
            start_plain_thread(self._sample_repeatedly, (self._wake, self._done))

    def end(self) -> None:
        """End the thread and wait for it."""
        if not self._is_running:
            return
        self._is_running = False
        with Undisturbed():
            self._wake.release()
            self._done.acquire(True, _LONGEST_WAIT_S)
            deadline = _monotonic_ns() + int(_LONGEST_WAIT_S * 1e9)
            while _is_linux and _is_thread(self._own_native_id) and _monotonic_ns() < deadline:
                _sleep(0)  # it still needs the GIL to end; os.fork() counts it until then

    def before_fork(self) -> None:
        """End the thread until the fork is done."""
        self._is_paused = self._is_running
        self.end()

    def after_fork_parent(self) -> None:
        """Go on, unless a function is running that does so at its end."""
        if not self.is_in_fork:
            self.go_on()

    def go_on(self) -> None:
        """Start the thread again."""
        if self._is_paused:
            try:
                self._run()
            except RuntimeError as error:  # no more threads can be started
                self._is_running = False
                report("sampler-failed", "the profile ends where a process forked: " + str(error) + ".")

    def after_fork_child(self) -> None:
        """Begin a log for the child, if the parent was sampled."""
        self.is_in_fork = False
        if not self._is_paused:
            return
        try:
            self.begin()
        except (OSError, RuntimeError) as error:  # the child must continue, unsampled
            self._is_running = self._is_paused = False
            report("sampler-failed", "the profile did not start in a forked process: " + str(error) + ".")

    def _sample_repeatedly(self, wake: "Any", done: "Any") -> None:
        own = _get_ident()
        try:
            sampling_threads.add(own)
            self._own_native_id = _get_native_id()
            self._sample_until_woken(wake)
        except Exception as error:  # any failure of ours must leave the program as it is
            report("sampler-failed", "the profile ends early: " + repr(error) + ".")
        finally:
            self._end_log()
            sampling_threads.discard(own)
            done.release()

    def _end_log(self) -> None:
        was_on = pause()
        try:
            self._log.counters[COUNT_CPU] = self._cpu_before_ns = self._cpu_before_ns + _thread_time_ns()
            self._log.publish()
        finally:
            resume(was_on)

    def _sample_until_woken(self, wake: "Any") -> None:
        was_on = pause()
        due = _monotonic_ns() + self._jittered()
        wait: tuple[bool, float] = True, 0.0
        acquire = wake.acquire
        resume(was_on)
        # With the collector on, nothing that it counts is made here, not even a tuple of arguments.
        while not acquire(*wait):
            self._log.reserve(_ROOM_BYTES)  # growing gives up the GIL: not with the collector off
            self._log_names()
            was_on = pause()
            try:
                due = self._tick(due)
                save_room()
                wait = True, max(due - _monotonic_ns(), 0) / 1e9
            finally:
                resume(was_on)
            if due == _NEVER:
                return
        self._log_names()

    def _log_names(self) -> None:
        while self._unnamed:
            lane = self._unnamed.pop()
            name = _name_of(lane.native_id)  # gives up the GIL
            if name is None:
                self._unnamed.append(lane)
                return
            was_on = pause()
            try:
                self._log.add_thread(lane.index, lane.native_id, name)
            finally:
                resume(was_on)

    def _tick(self, due: int) -> int:
        """Take a sample of each thread. Return when the next is due; _NEVER to end."""
        if _has_further_interpreters():  # their frames must not be touched from here
            report("interpreter-unsampled", "the profile ends where the program began to use further interpreters.")
            return _NEVER
        counters = self._log.counters
        counters[COUNT_TICKS] += 1
        self._add_samples(_look())
        self._log.publish()
        if not self._log.is_open:
            return _NEVER  # the reason is reported when the command has ended
        if counters[COUNT_TICKS] % _PACED_TICKS == 0:
            self._set_pace()
        after = _monotonic_ns()
        due += self._jittered()
        if due < after:
            counters[COUNT_LATE] += 1
            due = after + (self._jittered() >> 1)
        return due

    def _jittered(self) -> int:
        """Return the pace times a factor of 0.5 to 1.5, never in step with the program."""
        self._random = (self._random * 1_103_515_245 + 12_345) & 0x7FFFFFFF
        return self._pace_ns // 2 + (self._pace_ns * (self._random >> 11) >> 20)

    def _set_pace(self) -> None:
        """Choose the next interval by what ticks cost, as set_pace in native/sampler/loop.c."""
        now, before = _read_clocks(), self._clocks
        self._clocks = now
        self._log.counters[COUNT_CPU] = self._cpu_before_ns + now[2]
        wall_ns, used_ns, own_ns = (after - earlier for after, earlier in zip(now, before, strict=True))
        if self._max_cpu_ppm:
            tick_ns = own_ns // _PACED_TICKS
            busy_ppm = min(used_ns * 1_000_000 // (wall_ns + 1), 1_000_000)
            pace_ns = tick_ns * 1_000_000 // self._max_cpu_ppm * 1_000_000 // (busy_ppm + 1000)
            pace_ns = min((self._pace_ns + pace_ns) // 2, max(tick_ns * _MAX_BUSY_SHARE, _SLOWEST_NS))
            self._pace_ns = max(pace_ns, self._interval_ns)

    def _add_samples(self, stacks: "dict[int, _Stack]") -> None:
        lanes = self._lanes
        for identity in [identity for identity in lanes if identity not in stacks]:
            del lanes[identity]
        now_ns = _monotonic_ns()
        recorder = PureRecorder.current
        for identity, stack in stacks.items():
            lane, cpu_ns = self._lane(identity)
            self._add_sample(lane, self._node(stack), now_ns, cpu_ns, _context(recorder, identity))
            lane.n_samples += 1
            if lane.n_samples & (lane.n_samples - 1) == 0:  # a name may be given later
                self._unnamed.append(lane)

    def _lane(self, identity: int) -> "tuple[_Lane, int]":
        """Return a thread's lane and CPU time. Identities of threads that have ended are used again."""
        lane = self._lanes.get(identity)
        if lane is not None:
            if lane.clock is None and not lane.native_id:
                self._find_native_id(identity, lane)
            if lane.clock is None:
                return lane, 0
            try:
                return lane, _clock_gettime_ns(lane.clock)  # type: ignore[misc]
            except OSError:
                pass  # it has ended
        lane = self._lanes[identity] = _Lane(self._n_threads)
        self._n_threads += 1
        self._find_native_id(identity, lane)
        self._log.add_thread(lane.index, lane.native_id, b"")
        try:
            return lane, 0 if lane.clock is None else _clock_gettime_ns(lane.clock)  # type: ignore[misc]
        except OSError:
            return lane, 0

    def _find_native_id(self, identity: int, lane: _Lane) -> None:
        """Find out the kernel's number of a thread: from `threading`, which knows those that it started."""
        if identity == self._first[0]:
            lane.know_native_id(self._first[1])
            return
        active = getattr(sys.modules.get("threading"), "_active", None)
        if type(active) is dict:
            found = getattr(active.get(identity), "_native_id", None)
            if type(found) is int and found > 0:
                lane.know_native_id(found)

    def _node(self, stack: "_Stack") -> int:
        node = 0
        log = self._log
        for code, offset in reversed(stack):
            number = log.code_id(code, _OWN_FOLDER)
            if number != HIDDEN:
                node = log.node_id(node, number, offset // 2 if offset >= 0 else UNIT_UNKNOWN)
        return node

    def _add_sample(self, lane: _Lane, node: int, now_ns: int, cpu_ns: int, context: int) -> None:
        self._log.counters[COUNT_SAMPLES] += 1
        is_same = lane.node == node and lane.cpu_ns == cpu_ns and lane.context == context
        if is_same and lane.place is not None and lane.repeat < _MAX_REPEAT:
            lane.repeat += 1
            self._log.repeat_sample(lane.place, now_ns, lane.repeat)
            return
        lane.node, lane.cpu_ns, lane.context, lane.repeat = node, cpu_ns, context, 1
        lane.place = self._log.add_sample(lane.index, node, now_ns, cpu_ns, context)


def _look() -> "dict[int, _Stack]":
    """Return the stack of each other thread, youngest frame first; no frame is held afterwards."""
    own = _get_ident()
    stacks = {}
    for identity, frame in _current_frames().items():
        if identity != own:
            stack: _Stack = []
            while frame is not None and len(stack) < _MAX_FRAMES:
                stack.append((frame.f_code, frame.f_lasti))
                frame = frame.f_back  # type: ignore[assignment]
            stacks[identity] = stack
    return stacks


def _context(recorder: PureRecorder | None, identity: int) -> int:
    if recorder is None:
        return 0
    own = context_of_thread(recorder, identity)
    return recorder.sample_context_id if own is None else own


def _read_clocks() -> "tuple[int, int, int]":
    return _monotonic_ns(), _process_time_ns(), _thread_time_ns()


def _is_thread(native_id: int) -> bool:
    """Return whether this process has a thread of that number (Linux)."""
    try:
        _stat(f"/proc/self/task/{native_id}")
    except OSError:
        return False
    return True


def _name_of(native_id: int) -> bytes | None:
    """Return the kernel's name of a thread of this process; b"" if it is not known, None if it can't be read now."""
    if not native_id or not _is_linux:
        return b""
    path = f"/proc/self/task/{native_id}/comm"
    if not _access(path, os.R_OK):  # the thread has ended: no exception is to be made for that
        return b""
    if not make_room():
        return None
    try:
        file = _open(path, _TO_READ)
    except OSError:
        return b""
    try:
        return _read(file, 64).removesuffix(b"\n")
    except OSError:
        return b""
    finally:
        _close(file)
