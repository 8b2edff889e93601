import assert from "node:assert/strict";
import { test } from "node:test";

import { runnerOf } from "../src/testCommand";

test("pytest is given the tests by a file, and all its options to find them", () => {
  const command = ["-m", "pytest", "--footfall", "tests", "-k", "x"];
  const runner = runnerOf(command);
  const plugin = ["-p", "footfall.pytest_plugin.outcomes", "--footfall-outcomes=/o"];
  assert.deepEqual(runner?.run("/o"), [...command, ...plugin]);
  assert.deepEqual(runner?.run("/o", "/c"), [...command, ...plugin, "--footfall-tests=/c"]);
  const collecting = ["-m", "pytest", "tests", "-k", "x", "--collect-only", "-q", ...plugin];
  assert.deepEqual(runner?.collect("/o"), [...collecting.slice(0, 2), "--footfall", ...collecting.slice(2)]);
  for (const before of [["run"], ["run", "-q", "-m"]]) {
    const measured = runnerOf(["-X", "dev", "-m", "footfall", ...before, "pytest", "tests", "-k", "x"]);
    assert.deepEqual(measured?.collect("/o"), ["-X", "dev", ...collecting]);
  }
});

test("unittest is run by footfall's module, which takes names before unittest's own arguments", () => {
  const runner = runnerOf(["-X", "dev", "-m", "footfall", "run", "-m", "unittest", "discover", "-s", "t"]);
  const module = ["-m", "footfall.unittest_plugin"];
  const choice = ["--footfall-outcomes=/o", "--footfall-tests=/c"];
  const measuring = ["-X", "dev", "-m", "footfall", "run", ...module, ...choice, "discover", "-s", "t"];
  assert.deepEqual(runner?.run("/o", "/c"), measuring);
  const collecting = ["-X", "dev", ...module, "--footfall-places=/o", "discover", "-s", "t"];
  assert.deepEqual(runner?.collect("/o"), collecting);
});

test("Django has a test runner that takes names", () => {
  const runner = "--testrunner=footfall.unittest_plugin.django.Runner";
  for (const command of [
    ["site/manage.py", "test", "shop"],
    ["-m", "django", "test", "shop"],
  ]) {
    const found = runnerOf(["-m", "footfall", "run", ...command]);
    assert.deepEqual(found?.run("/o"), ["-m", "footfall", "run", ...command, runner, "--footfall-outcomes=/o"]);
    assert.deepEqual(found?.collect("/o"), [...command, runner, "--footfall-places=/o"]);
  }
});

test("anything else is not asked for single tests", () => {
  for (const command of [["-m", "nose2"], ["manage.py", "check"], ["run_tests.py"], []]) {
    assert.equal(runnerOf(command), undefined);
  }
});
