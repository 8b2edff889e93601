import assert from "node:assert/strict";
import { test } from "node:test";

import { runnerOf } from "../src/testCommand";

const CHOICE = [["a"], ["b"], "/o"] as const;

test("pytest is given the names of tests", () => {
  const runner = runnerOf(["-m", "pytest", "--footfall"]);
  const plugin = ["-p", "footfall.pytest_plugin.outcomes", "--footfall-outcomes=/o"];
  assert.deepEqual(runner?.run(...CHOICE), ["-m", "pytest", "--footfall", ...plugin, "--deselect=b", "a"]);
  assert.deepEqual(runner?.collect("/o"), ["-m", "pytest", "--collect-only", "-q", ...plugin]);
});

test("unittest is run by footfall's module, which takes names before unittest's own arguments", () => {
  const runner = runnerOf(["-m", "footfall", "run", "-m", "unittest", "discover", "-s", "t"]);
  const module = ["-m", "footfall.unittest_plugin"];
  const choice = ["--footfall-outcomes=/o", "--footfall-only=a", "--footfall-except=b"];
  assert.deepEqual(runner?.run(...CHOICE), ["-m", "footfall", "run", ...module, ...choice, "discover", "-s", "t"]);
  assert.deepEqual(runner?.collect("/o"), [...module, "--footfall-places=/o", "discover", "-s", "t"]);
});

test("Django has a test runner that takes names", () => {
  const runner = "--testrunner=footfall.unittest_plugin.django.Runner";
  for (const command of [
    ["site/manage.py", "test", "shop"],
    ["-m", "django", "test", "shop"],
  ]) {
    const found = runnerOf(["-m", "footfall", "run", ...command]);
    assert.deepEqual(found?.run([], [], "/o"), ["-m", "footfall", "run", ...command, runner, "--footfall-outcomes=/o"]);
    assert.deepEqual(found?.collect("/o"), [...command, runner, "--footfall-places=/o"]);
  }
});

test("anything else is not asked for single tests", () => {
  for (const command of [["-m", "nose2"], ["manage.py", "check"], ["run_tests.py"], []]) {
    assert.equal(runnerOf(command), undefined);
  }
});
