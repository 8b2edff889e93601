import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { pythonProcesses } from "../src/processes";

test("the processes to choose from are those of Python, but for the service", (t) => {
  const proc = mkdtempSync(join(tmpdir(), "footfall-"));
  t.after(() => rmSync(proc, { recursive: true }));
  const add = (pid: string, exe: string, ...words: string[]) => {
    mkdirSync(join(proc, pid));
    symlinkSync(exe, join(proc, pid, "exe"));
    symlinkSync("/home/me", join(proc, pid, "cwd"));
    writeFileSync(join(proc, pid, "cmdline"), words.map((word) => `${word}\0`).join(""));
  };
  add("7", "/usr/bin/python3.13", "/venv/bin/python", "worker.py");
  add("8", "/usr/bin/bash", "bash", "python");
  add("9", "/usr/bin/python3.13", "python", "-m", "footfall", "serve", "--stdio");
  add("10", "/opt/bin/pypy3.11", "pypy3", "-c", "pass");
  mkdirSync(join(proc, "11")); // it ended
  mkdirSync(join(proc, "sys"));
  assert.deepEqual(pythonProcesses(proc), [
    { pid: 10, command: "pypy3 -c pass", directory: "/home/me" },
    { pid: 7, command: "python worker.py", directory: "/home/me" },
  ]);
});
