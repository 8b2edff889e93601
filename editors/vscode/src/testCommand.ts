// What runs a project's tests, as its setting says: pytest, unittest or Django, which are asked for tests by their names; or anything else.
import { basename } from "node:path";

const UNITTEST = "footfall.unittest_plugin";

/** Arguments of the interpreter. */
export interface Runner {
  /** Run all tests, or those of these names, without some; their outcomes are written to the file. */
  run(names: readonly string[], left: readonly string[], outcomes: string): string[];
  /** Run nothing, and write where each test is. */
  collect(places: string): string[];
}

/** Return how the command is asked for single tests; undefined if that is not known. */
export function runnerOf(command: readonly string[]): Runner | undefined {
  if (command.includes("pytest")) return ofPytest(command);
  const module = command.findIndex((word, at) => word === "-m" && command[at + 1] === "unittest");
  if (module >= 0) return ofUnittest(command.slice(0, module), command.slice(module + 2));
  const django = command.findIndex((word, at) => {
    const rest = command.slice(at).join(" ");
    return (basename(word) === "manage.py" && command[at + 1] === "test") || /^-m django test( |$)/.test(rest);
  });
  return django >= 0 ? ofDjango(command, django) : undefined;
}

/** Its outcomes are those that footfall's plugin for pytest writes; docs/protocol.md describes them all. */
function ofPytest(command: readonly string[]): Runner {
  const options = (file: string) => ["-p", "footfall.pytest_plugin.outcomes", `--footfall-outcomes=${file}`];
  return {
    run: (names, left, file) => [...command, ...options(file), ...left.map((name) => `--deselect=${name}`), ...names],
    collect: (file) => ["-m", "pytest", "--collect-only", "-q", ...options(file)],
  };
}

function ofUnittest(before: readonly string[], after: readonly string[]): Runner {
  return {
    run: (...chosen) => [...before, "-m", UNITTEST, ...choice(...chosen), ...after],
    collect: (file) => ["-m", UNITTEST, `--footfall-places=${file}`, ...after],
  };
}

function ofDjango(command: readonly string[], at: number): Runner {
  const runner = `--testrunner=${UNITTEST}.django.Runner`;
  return {
    run: (...chosen) => [...command, runner, ...choice(...chosen)],
    collect: (file) => [...command.slice(at), runner, `--footfall-places=${file}`],
  };
}

function choice(names: readonly string[], left: readonly string[], outcomes: string): string[] {
  const only = names.map((name) => `--footfall-only=${name}`);
  return [`--footfall-outcomes=${outcomes}`, ...only, ...left.map((name) => `--footfall-except=${name}`)];
}
