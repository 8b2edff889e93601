import assert from "node:assert/strict";
import { test } from "node:test";

import { LineReader } from "../src/outcomes";

test("outcomes come when their line is complete, whatever is in names", () => {
  const reader = new LineReader();
  const lines = ["a dir/test_a.py::test[a:b\n - c]", "test_b.py::test_é"].map((test) => ({ test, outcome: "passed" }));
  const text = lines.map((each) => `${JSON.stringify(each)}\n`).join("");
  for (let cut = 0; cut <= text.length; cut++) {
    const found = [...reader.feed(text.slice(0, cut)), ...reader.feed(text.slice(cut))];
    assert.deepEqual(found, lines);
  }
});
