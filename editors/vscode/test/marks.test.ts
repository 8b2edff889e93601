import assert from "node:assert/strict";
import { test } from "node:test";

import { heatOf, marksOf, mover, moverOf, nearest, type Edit } from "../src/marks";
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

test("what is said of lines has their numbers now, or says that these are older", () => {
  const text = "line 6 didn't jump to line 7 because the condition on line 6 was never true";
  const branches = { "6": [{ to: 7, taken: false, text }] };
  const saidIn = (...args: Parameters<typeof marksOf>) => marksOf(...args).flatMap((mark) => mark.hover);
  const file = { ...FILE, branches, conditions: null };
  const moved = "line 7 didn't jump to line 8 because the condition on line 7 was never true";
  assert.deepEqual(saidIn({ ...file, is_stale: true, unchanged: [[1, 2, 8]] }), [moved]);
  assert.deepEqual(saidIn({ ...file, is_stale: true, unchanged: [[1, 2, 6]] }), [`As measured: ${text}`]);
  // not saved yet
  assert.deepEqual(
    saidIn(file, undefined, (line) => line + 1),
    [moved],
  );
  assert.deepEqual(
    saidIn(file, undefined, (line) => (line === 7 ? undefined : line)),
    [`As measured: ${text}`],
  );
});

test("lines move with edits; one that is edited is not what it was", () => {
  const edit = (first: number, from: number, last: number, to: number, text: string): Edit => ({
    range: { start: { line: first, character: from }, end: { line: last, character: to } },
    text,
  });
  const after = (...edits: Edit[]) => [1, 2, 3, 4].map(moverOf(edits));
  assert.deepEqual(after(), [1, 2, 3, 4]);
  assert.deepEqual(after(edit(1, 0, 1, 0, "new\n")), [1, 3, 4, 5]);
  assert.deepEqual(after(edit(0, 0, 0, 0, "a\nb\n")), [3, 4, 5, 6]);
  assert.deepEqual(after(edit(1, 2, 1, 4, "word")), [1, undefined, 3, 4]);
  assert.deepEqual(after(edit(1, 5, 1, 5, "\n  ")), [1, undefined, 4, 5]);
  assert.deepEqual(after(edit(1, 0, 2, 0, "")), [1, undefined, 2, 3]);
  assert.deepEqual(after(edit(1, 3, 2, 0, "")), [1, undefined, undefined, 3]);
  assert.deepEqual(after(edit(1, 0, 2, 0, ""), edit(0, 0, 0, 0, "\n")), [2, undefined, 3, 4]);
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

test("where to go for a line that changed: behind the unchanged lines above it", () => {
  const state = {
    ...FILE,
    is_stale: true,
    unchanged: [
      [2, 4, 3],
      [8, 9, 2],
    ] as [number, number, number][],
  };
  assert.deepEqual(
    [1, 2, 5, 7, 9, 20].map((line) => nearest(state, line)),
    [1, 4, 7, 7, 10, 11],
  );
  assert.equal(nearest({ ...FILE, is_stale: false }, 6), 6);
});
