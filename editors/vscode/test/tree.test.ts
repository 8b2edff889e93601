import assert from "node:assert/strict";
import { test } from "node:test";

import { placeInTree } from "../src/editor/testItems";

test("a test is in its folders, file and class, by the name that pytest or unittest gives it", () => {
  const placed = (name: string) => {
    const { groups, label } = placeInTree(name);
    return [...groups.map((each) => each.label), label];
  };
  assert.deepEqual(placed("test_a.py::test_x"), ["test_a.py", "test_x"]);
  assert.deepEqual(placed("t/deep/test_a.py::TestC::test_x[a::b/c]"), [
    "t",
    "deep",
    "test_a.py",
    "TestC",
    "test_x[a::b/c]",
  ]);
  assert.deepEqual(placed("shop.tests.test_a.TestC.test_x"), ["shop.tests.test_a", "TestC", "test_x"]);
  assert.deepEqual(placed("anything else"), ["anything else"]);
});
