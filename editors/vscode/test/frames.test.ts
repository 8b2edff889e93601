import assert from "node:assert/strict";
import { test } from "node:test";

import { frame, FrameReader } from "../src/service/frames";

test("messages come back however the stream is cut", () => {
  const messages = [{ a: 1 }, { text: "é".repeat(300) }, []];
  const stream = Buffer.concat(messages.map(frame));
  for (const size of [1, 7, 100, stream.length]) {
    const frames = new FrameReader();
    const found = [];
    for (let at = 0; at < stream.length; at += size) found.push(...frames.feed(stream.subarray(at, at + size)));
    assert.deepEqual(found, messages);
  }
});

test("what is no protocol is an error", () => {
  assert.throws(() => [...new FrameReader().feed(Buffer.from("Traceback\r\n\r\n"))], /protocol/);
});
