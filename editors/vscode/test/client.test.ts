// The client with the real service. FOOTFALL_PYTHON is an interpreter with footfall.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { panelPage, placeOfMessage } from "../src/flamePage";
import { marksOf } from "../src/marks";
import { Client, ServiceError } from "../src/service/client";

const python = process.env.FOOTFALL_PYTHON;

test("a client asks the real service", { skip: python === undefined && "FOOTFALL_PYTHON is not set" }, async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "footfall-")));
  t.after(() => rmSync(root, { recursive: true }));
  const program = "def busy():\n    return sum(i * i for i in range(3_000_000))\n\n\nif busy() < 0:\n    print()\n";
  writeFileSync(join(root, "main.py"), program);
  execFileSync(python as string, ["-m", "footfall", "run", "-q", "main.py"], { cwd: root });

  const client = new Client([python as string, "-m", "footfall", "serve", "--stdio"], root);
  t.after(() => client.dispose());
  const initialized = await client.initialize();
  assert.equal(initialized.root, root);
  assert.ok(initialized.has_data);

  const file = await client.request("coverage/file", { path: join(root, "main.py") });
  const states = Object.fromEntries(marksOf(file).map((mark) => [mark.line, mark.state]));
  assert.deepEqual(states, { 1: "run", 2: "run", 5: "partial", 6: "missing" });
  const times = await client.request("profile/lines", { path: "main.py" });
  assert.ok(times.lines["2"].own_share > 0.1);
  assert.equal((await client.request("coverage/gaps", { count: 0 })).gaps[0].start_line, 1);

  const { page } = await client.request("profile/flame", { page: true, links: true });
  const shown = panelPage(page, "n0nce");
  assert.ok(shown.includes("Content-Security-Policy"));
  assert.equal(shown.split("<script nonce=").length, 3);
  assert.ok(shown.includes(JSON.stringify(join(root, "main.py"))));
  const place = { path: join(root, "main.py"), line: 2 };
  assert.deepEqual(placeOfMessage({ open: `${place.path}?beside#L2` }), place);
  for (const other of [undefined, {}, { open: 1 }, { open: "main.py#L2" }, { open: "//host/main.py" }]) {
    assert.equal(placeOfMessage(other), undefined);
  }

  const both = [
    client.request("coverage/file", { path: "/etc/passwd" }),
    client.request("coverage/files", {}),
  ] as const;
  await assert.rejects(both[0], (error) => error instanceof ServiceError && error.slug === "outside-project");
  assert.equal((await both[1]).files.length, 1);

  const changed = new Promise<string>((resolve) => (client.onDataChanged = resolve));
  utimesSync(join(root, ".coverage"), 1, 1);
  assert.equal(await changed, join(root, ".coverage"));
});

test("a service that can't be started, or is none, is an error", async () => {
  await assert.rejects(new Client(["/no/such/python"], tmpdir()).initialize(), /can't start/);
  const other = [process.execPath, "-e", "console.log('hello\\r\\n\\r\\n'); setTimeout(() => {}, 60000)"];
  await assert.rejects(new Client(other, tmpdir()).initialize(), /protocol/);
});
