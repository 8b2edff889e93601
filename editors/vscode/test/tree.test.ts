import assert from "node:assert/strict";
import { test } from "node:test";

import { GapsView } from "../src/editor/gaps";
import { placeInTree } from "../src/editor/testItems";

test("gaps that are not listed are counted, and files that changed or are left out", async () => {
  const gap = { file: "a.py", function: "f", start_line: 1, missing: "2", untested_seconds: 0, own_seconds: 0 };
  const answer = { gaps: [gap], n_gaps: 3, total_seconds: 0, stale_files: [] as string[], unreadable: [] as object[] };
  const project = { askIfThere: () => Promise.resolve(answer), folder: { name: "p", uri: { fsPath: "/p" } } };
  const view = new GapsView(() => [project as never]);
  const labels = async () => (await view.getChildren()).map((row) => view.getTreeItem(row).label);
  assert.deepEqual(await labels(), ["f", "and 2 more"]);
  answer.n_gaps = 1;
  assert.deepEqual(await labels(), ["f"]);
  answer.stale_files = ["a.py", "b.py"];
  answer.unreadable = [{ name: "b.py", slug: "source-unknown", text: "b.py: it was changed since" }];
  assert.deepEqual(await labels(), ["2 files changed since they were measured", "1 file left out", "f"]);
  const [stale, left] = (await view.getChildren()).map((row) => view.getTreeItem(row).tooltip);
  assert.match(String(stale), /as measured[^]*a\.py\nb\.py$/);
  assert.equal(left, "b.py: it was changed since");
});

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
