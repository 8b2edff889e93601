"""The inside sampler: what it costs, how right its shares are, and how far its leaf lines are from the true ones.

    python bench/sampler.py [--only cost|shares|stacks|skid] [--pairs 200] [--modes "1 kHz"] [--seconds 4]

Run it by a CPython that has footfall installed. Each measurement is a process of its own.

cost    CPU and wall of fixed work, ratios to the same work without a sampler: one process, in pairs of turns of about a
        quarter of a second whose order is drawn, so that a machine which changes its speed changes it for both. The
        mean of the ratios' middle half, and its standard error. "own" is the working thread's CPU, "all" the
        process's (sampler included); the sampler's CPU for each look and in per cent of one CPU; looks a second.
shares  three functions that spin by the thread's CPU clock; the deviation of each share in binomial standard errors, of
        as many samples as there were, and of as many equal ones as they were worth: a sample counts for the CPU time
        since the one before, and where the sampler is woken late that differs.
stacks  two quick recursions: stacks without their root, or that mix both, and those that were dropped.
skid    own time of lines of 20 to 200 ns against `--precise`, where a signal stops the thread; two precise runs tell
        how much is noise.
"""

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile

PRELUDE = """
import json, os, random, sys, threading, time
from footfall import _core
from footfall.analyze.profile.calltree import profile_of_logs, times_of_functions, times_of_lines
from footfall.record.run.sample_log import read_sample_log
sys.setrecursionlimit(10000)
path, rate, precise, argument = sys.argv[1], int(sys.argv[2]), sys.argv[3] == "1", float(sys.argv[4])
def start():
    if rate:
        _core.sampler_start(path, 1_000_000_000 // abs(rate), 0, True, 10_000 if rate < 0 else 0, precise)
def stop():
    stats = _core.sampler_stats()
    _core.sampler_stop()
    return stats
def say(**found):
    print(json.dumps(found))
"""

WORK = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def below(depth):
    return fib(23) if depth == 0 else below(depth - 1)
def work(depth, count):
    for _ in range(count):
        below(depth)
def turn(depth, count, n_threads, is_sampled):
    if is_sampled: start()
    wall, own, all_ = time.perf_counter(), time.thread_time(), time.process_time()
    threads = [threading.Thread(target=work, args=(depth, count // n_threads)) for _ in range(n_threads - 1)]
    for thread in threads: thread.start()
    work(depth, count // n_threads)
    for thread in threads: thread.join()
    found = dict(wall=time.perf_counter() - wall, own=time.thread_time() - own, all=time.process_time() - all_)
    if is_sampled:
        found["stats"] = stop()
        os.unlink(path)
    return found
def measure(depth, count, n_threads):
    work(depth, count)
    pairs = []
    for _ in range(int(argument)):
        order = random.sample((False, True), 2)
        found = {is_sampled: turn(depth, count, n_threads, is_sampled) for is_sampled in order}
        pairs.append((found[False], found[True]))
    say(pairs=pairs)
"""

COSTS = {
    # name: (depth, threads, rate, precise); a rate below zero is the default's, which keeps to 1 % of the CPU time
    "100 Hz": (10, 1, 100, 0),
    "default rate": (10, 1, -1000, 0),
    "1 kHz": (10, 1, 1000, 0),
    "1 kHz, precise": (10, 1, 1000, 1),
    "10 kHz": (10, 1, 10_000, 0),
    "50 kHz, shallow": (1, 1, 50_000, 0),
    "1 kHz, 1,000 frames": (1000, 1, 1000, 0),
    "1 kHz, 8 threads": (10, 8, 1000, 0),
}

SHARES = """
taken = dict.fromkeys("abc", 0.0)
def spin(name, seconds):
    clock = time.thread_time
    begin = clock()
    while clock() < begin + seconds: pass
    taken[name] += clock() - begin
def a(): spin("a", 0.005)
def b(): spin("b", 0.003)
def c(): spin("c", 0.002)
start()
end = time.monotonic() + argument
while time.monotonic() < end:
    a(); b(); c()
stats = stop()
log = read_sample_log(path)
times = times_of_functions(profile_of_logs([log]))
seen = {function.qualname: each.total.cpu_ns for function, each in times.items()}
weights = [sample.cpu_ns for sample in log.samples]
worth = sum(weights) ** 2 / sum(weight ** 2 for weight in weights)
say(truth=taken, seen={name: seen.get(name, 0) for name in "abc"}, samples=stats["samples"], worth=worth)
"""

STACKS = """
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)
def fib2(n):
    return n if n < 2 else fib2(n - 1) + fib2(n - 2)
def main():
    end = time.monotonic() + argument
    while time.monotonic() < end:
        fib(14)
        fib2(14)
start()
main()
stop()
log = read_sample_log(path)
names = {0: ()}
for number, node in log.nodes.items():
    names[number] = (*names[node.parent], log.codes[node.code].qualname)
stacks = [names[sample.node] for sample in log.samples for _ in range(sample.repeat)]
bad = [stack for stack in stacks if stack and (stack[0] != "<module>" or {"fib", "fib2"} <= set(stack))]
say(samples=len(stacks), impossible=len(bad), dropped=log.n_dropped)
"""

SKID = """
source = '''\\
def one(n):
    return n
def two(n):
    n += 1
    return n
def work(count):
    for i in range(count):
        one(i)
        two(i)
        i * i
def fib2(n):
    if n < 2:
        return n
    a = fib2(n - 1)
    b = fib2(n - 2)
    return a + b
'''
exec(compile(source, "skid.py", "exec"))
def main():
    end = time.monotonic() + argument
    while time.monotonic() < end:
        work(2000)
        fib2(14)
start()
main()
stats = stop()
times = times_of_lines(profile_of_logs([read_sample_log(path)]))
own = {line: each.own.cpu_ns for (file, line), each in times.items() if file == "skid.py"}
total = sum(own.values()) or 1
say(shares={line: 100 * value / total for line, value in own.items()}, source=source, samples=stats["samples"])
"""


def main() -> None:
    """Run what was asked for and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["cost", "shares", "stacks", "skid"])
    parser.add_argument("--pairs", type=int, default=200, help="pairs of turns of each mode of cost (default 200)")
    parser.add_argument("--modes", nargs="+", choices=COSTS, default=list(COSTS), help="of cost (default all)")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each run of the others (default 4)")
    options = parser.parse_args()
    print(f"{sys.implementation.name} {sys.version.split()[0]}\n")
    if options.only in (None, "cost"):
        show_cost(options.modes, options.pairs)
    if options.only in (None, "shares"):
        show_shares(options.seconds)
    if options.only in (None, "stacks"):
        show_stacks(options.seconds)
    if options.only in (None, "skid"):
        show_skid(options.seconds)


def run(program, rate, precise=0, argument=0.0):
    """Run a program in a process of its own; return what it said."""
    env = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "FOOTFALL"))}
    with tempfile.TemporaryDirectory(prefix="footfall-sampler-") as directory:
        command = [sys.executable, "-c", PRELUDE + program, os.path.join(directory, "log.smp")]
        done = subprocess.run(
            [*command, str(rate), str(precise), str(argument)], env=env, capture_output=True, text=True
        )
    if done.returncode:
        raise SystemExit(f"ended with {done.returncode}:\n{done.stderr}")
    return json.loads(done.stdout)


def show_cost(modes, n_pairs):
    """The same work with the sampler and without, in turns of a quarter of a second in one process."""
    print("| mode | own CPU | all CPU | wall | us a look | % of a CPU | looks a second | dropped |")
    print("|---|---|---|---|---|---|---|---|")
    for name in modes:
        depth, n_threads, rate, precise = COSTS[name]
        pairs = run(WORK + f"measure({depth}, 60, {n_threads})", rate, precise, n_pairs)["pairs"]
        cells = [ratio_of([(bare[key], sampled[key]) for bare, sampled in pairs]) for key in ("own", "all", "wall")]
        stats = [sampled["stats"] for _, sampled in pairs]
        wall = sum(sampled["wall"] for _, sampled in pairs)
        cpu, ticks, samples, torn, unreadable = (
            sum(each[key] for each in stats) for key in ("cpu_ns", "ticks", "samples", "torn", "unreadable")
        )
        cells += [f"{cpu / 1000 / ticks:.1f}", f"{cpu / 1e7 / wall:.2f}", f"{ticks / wall:.0f}"]
        print(f"| {name} | {' | '.join(cells)} | {100 * (torn + unreadable) / samples:.2f} % |", flush=True)
    print()


def ratio_of(pairs):
    """Return the middle half's mean of the pairs' ratios, and its standard error (a trimmed mean's, by Winsorizing)."""
    ratios = sorted(math.log(sampled / bare) for bare, sampled in pairs)
    cut = len(ratios) // 4
    kept = ratios[cut : len(ratios) - cut]
    spread = statistics.stdev([kept[0]] * cut + kept + [kept[-1]] * cut)
    error = spread / ((1 - 2 * cut / len(ratios)) * math.sqrt(len(ratios)))
    return f"{math.exp(statistics.mean(kept)):.4f}x ±{error:.4f}"


def show_shares(seconds):
    """Known shares at three rates."""
    print("| rate | samples | worth | a (50 %) | b (30 %) | c (20 %) | deviation, of samples | of their worth |")
    print("|---|---|---|---|---|---|---|---|")
    for rate in (100, 1000, 10_000):
        found = run(SHARES, rate, 0, seconds)
        truth, seen = found["truth"], found["seen"]
        cells, worst = [], [0.0, 0.0]
        for name in "abc":
            true_share = truth[name] / sum(truth.values())
            share = seen[name] / sum(seen.values())
            for at, count in enumerate((found["samples"], found["worth"])):
                error = math.sqrt(true_share * (1 - true_share) / count)
                worst[at] = max(worst[at], abs(share - true_share) / error)
            cells.append(f"{100 * share:.1f} (is {100 * true_share:.1f})")
        counts = f"{found['samples']} | {found['worth']:.0f}"
        print(f"| {rate} Hz | {counts} | {' | '.join(cells)} | {worst[0]:.1f} | {worst[1]:.1f} |", flush=True)
    print()


def show_stacks(seconds):
    """Impossible and dropped stacks of two recursions."""
    print("| rate | samples | impossible | dropped | together |")
    print("|---|---|---|---|---|")
    for rate, precise in ((1000, 0), (1000, 1), (10_000, 0)):
        found = run(STACKS, rate, precise, seconds)
        together = (found["impossible"] + found["dropped"]) / (found["samples"] + found["dropped"])
        name = f"{rate} Hz{', precise' if precise else ''}"
        print(
            f"| {name} | {found['samples']} | {found['impossible']} | {found['dropped']} | {100 * together:.2f} % |",
            flush=True,
        )
    print()


def show_skid(seconds):
    """Shares of short lines, in points."""
    modes = {"1 kHz": (1000, 0), "precise": (1000, 1), "precise again": (1000, 1), "10 kHz": (10_000, 0)}
    found = {name: run(SKID, rate, precise, seconds) for name, (rate, precise) in modes.items()}
    source = found["precise"]["source"].splitlines()
    print("| line | " + " | ".join(f"{name}, %" for name in modes) + " |")
    print("|---|" + "---|" * len(modes))
    for number, text in enumerate(source, 1):
        cells = [each["shares"].get(str(number), 0.0) for each in found.values()]
        if max(cells) >= 0.5:
            print(f"| `{text.strip()}` | " + " | ".join(f"{cell:.1f}" for cell in cells) + " |")
    exact = found["precise"]["shares"]
    worst = {
        name: max(abs(each["shares"].get(line, 0.0) - exact.get(line, 0.0)) for line in {*exact, *each["shares"]})
        for name, each in found.items()
    }
    print("\nGreatest difference to precise, in points:")
    print(", ".join(f"{name} {points:.1f}" for name, points in worst.items()))


if __name__ == "__main__":
    main()
