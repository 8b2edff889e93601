// What runs a project's tests, as its setting says: pytest, unittest or Django, which are asked for tests by their names; or anything else.
import { basename } from "node:path";

const UNITTEST = "footfall.unittest_plugin";

/** Arguments of the interpreter. */
export interface Runner {
  /** Run the tests, or those that the file `choice` names; their outcomes are written to a file. */
  run(outcomes: string, choice?: string): string[];
  /** Run nothing, and write where each test is. */
  collect(places: string): string[];
}

/** Return how the command is asked for single tests; undefined if that is not known. */
export function runnerOf(command: readonly string[]): Runner | undefined {
  const pytest = command.indexOf("pytest");
  if (pytest >= 0) return ofPytest(command, pytest);
  const module = command.findIndex((word, at) => word === "-m" && command[at + 1] === "unittest");
  if (module >= 0) return ofUnittest(command.slice(0, module), command.slice(module + 2));
  const django = command.findIndex((word, at) => {
    const rest = command.slice(at).join(" ");
    return (basename(word) === "manage.py" && command[at + 1] === "test") || /^-m django test( |$)/.test(rest);
  });
  return django >= 0 ? ofDjango(command, django) : undefined;
}

/** Its outcomes are those that footfall's plugin for pytest writes; docs/protocol.md describes them all. */
function ofPytest(command: readonly string[], at: number): Runner {
  const options = (file: string) => ["-p", "footfall.pytest_plugin.outcomes", `--footfall-outcomes=${file}`];
  return {
    run: (outcomes, choice) => [...command, ...options(outcomes), ...choiceOf(choice)],
    // nothing is measured while tests are only collected
    collect: (file) => {
      const ours = ["--collect-only", "-q", ...options(file)];
      return [...interpreterOptions(command.slice(0, at)), "-m", "pytest", ...command.slice(at + 1), ...ours];
    },
  };
}

function ofUnittest(before: readonly string[], after: readonly string[]): Runner {
  return {
    run: (outcomes, choice) => [...before, "-m", UNITTEST, ...told(outcomes, choice), ...after],
    collect: (file) => [...interpreterOptions(before), "-m", UNITTEST, `--footfall-places=${file}`, ...after],
  };
}

function ofDjango(command: readonly string[], at: number): Runner {
  const runner = `--testrunner=${UNITTEST}.django.Runner`;
  return {
    run: (outcomes, choice) => [...command, runner, ...told(outcomes, choice)],
    collect: (file) => [
      ...interpreterOptions(command.slice(0, at)),
      ...command.slice(at),
      runner,
      `--footfall-places=${file}`,
    ],
  };
}

function told(outcomes: string, choice: string | undefined): string[] {
  return [`--footfall-outcomes=${outcomes}`, ...choiceOf(choice)];
}

/** Which tests are a file, since a command has room for some thousands of names alone. */
function choiceOf(file: string | undefined): string[] {
  return file === undefined ? [] : [`--footfall-tests=${file}`];
}

/** Return what stands before the module that the interpreter runs, which may be one that measures: `-m footfall run`. */
function interpreterOptions(before: readonly string[]): readonly string[] {
  const module = before.indexOf("-m");
  return module < 0 ? before : before.slice(0, module);
}
