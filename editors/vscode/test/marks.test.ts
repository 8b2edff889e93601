import assert from "node:assert/strict";
import { test } from "node:test";

import { heatOf, marksOf, mover } from "../src/marks";
import type { FileCoverage } from "../src/service/answers";

const FILE: FileCoverage = {
  path: "/p/shop.py",
  name: "shop.py",
  is_stale: false,
  coverage: {
    executed_lines: [1, 2, 6],
    missing_lines: [7],
    excluded_lines: [9],
    summary: { covered_lines: 3, num_statements: 4, percent_covered: 75 },
  },
  branches: {
    "6": [
      { to: 8, taken: true, text: "" },
      { to: 7, taken: false, text: "never true" },
    ],
  },
  statements: [[2, 5]],
  conditions: {
    missing: [
      { line: 6, column: 4, end_line: 6, end_column: 9, text: "total", never: "true" },
      { line: 7, column: 4, end_line: 7, end_column: 9, text: "other", never: "true" },
    ],
  },
};

test("a line has its state, where its branch did not go, and its conditions", () => {
  const marks = marksOf(FILE);
  const states = Object.fromEntries(marks.map((mark) => [mark.line, mark.state]));
  const run = { 1: "run", 2: "run", 3: "run", 4: "run", 5: "run" };
  assert.deepEqual(states, { ...run, 6: "partial", 7: "missing", 9: "excluded" });
  assert.deepEqual(marks.find((mark) => mark.line === 6)?.hover, [
    "never true",
    "total (columns 5 to 9) was never true",
  ]);
  assert.deepEqual(marks.find((mark) => mark.line === 7)?.hover, []);
});

test("columns are those of the status bar, also after other characters and tabs", () => {
  const text = '\tif "🙂🙂" and total: pass';
  const column = [...text.slice(0, text.indexOf("total"))].length; // as the service counts
  const missing = [{ line: 2, column, end_line: 2, end_column: column + 5, text: "total", never: "true" as const }];
  const lines = ["", text];
  const seen = { text: (line: number) => lines[line - 1], tabSize: 4 };
  const marks = marksOf({ ...FILE, branches: {}, conditions: { missing } }, seen);
  assert.deepEqual(marks.find(({ line }) => line === 2)?.hover, ["total (columns 17 to 21) was never true"]);
});

test("marks of a file that changed are stale, and only those of lines that are still there", () => {
  const marks = marksOf({
    ...FILE,
    is_stale: true,
    unchanged: [
      [1, 3, 5],
      [7, 8, 1],
    ],
  });
  assert.deepEqual(marks.map((mark) => [mark.line, mark.state]).sort(), [
    [3, "run"],
    [4, "run"],
    [5, "run"],
    [6, "run"],
    [7, "run"],
    [8, "missing"],
  ]);
  assert.ok(marks.every((mark) => mark.isStale));
  assert.equal(mover({ ...FILE, is_stale: true, unchanged: null })(1), undefined);
});

test("lines with little time have none", () => {
  const lines = { "2": { own_share: 0.025, total_share: 0.5 }, "3": { own_share: 0, total_share: 0.001 } };
  assert.deepEqual(heatOf({ ...FILE, lines }, 0.005), [
    {
      line: 2,
      totalShare: 0.5,
      text: "50 %, own 2.5 %",
      hover: "50 % of the time was spent in this line and what it calls, 2.5 % in its own code",
    },
  ]);
});
