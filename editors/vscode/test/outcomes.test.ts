import assert from "node:assert/strict";
import { test } from "node:test";

import { outcomesOf } from "../src/outcomes";

test("outcomes are those of pytest's summary, names with dashes and spaces among them", () => {
  const output = [
    "FAILED in 3 seconds",
    "PASSED test_a.py::test_one",
    "PASSED test_a.py::test_two[a - b]",
    "FAILED sub/test_b.py::TestX::test_three - assert 1 == 2",
    "FAILED test_a.py::test_two[x] - assert [1] == [2]",
    "ERROR test_c.py - ImportError: no",
    "XFAIL test_a.py::test_four - later",
    "1 failed, 3 passed",
  ];
  assert.deepEqual(
    outcomesOf(output.join("\n")).map((each) => [each.name, each.outcome, each.message]),
    [
      ["test_a.py::test_one", "passed", ""],
      ["test_a.py::test_two[a - b]", "passed", ""],
      ["sub/test_b.py::TestX::test_three", "failed", "assert 1 == 2"],
      ["test_a.py::test_two[x]", "failed", "assert [1] == [2]"],
      ["test_a.py::test_four", "passed", "later"],
    ],
  );
});
