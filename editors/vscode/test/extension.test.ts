// The whole extension with the real service, in an editor that only notes what it is asked for.
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
  readFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import type { CancellationToken, ExtensionContext, FileCoverage, TestRun, TestRunProfile } from "vscode";

import { OwnDirectory } from "../src/ownDirectory";
import { Decorations } from "../src/editor/decorations";
import { Project } from "../src/editor/project";
import { activate } from "../src/extension";
import * as fake from "./fakeVscode";

const python = process.env.FOOTFALL_PYTHON;

interface Tree {
  getChildren(): Promise<unknown[]>;
  getTreeItem(row: unknown): { label: string; description: string };
}

async function until(isThere: () => boolean | Promise<boolean>): Promise<void> {
  for (const start = Date.now(); !(await isThere()); await new Promise((resolve) => setTimeout(resolve, 20))) {
    assert.ok(Date.now() - start < 60_000, "it does not come");
  }
}

test("marks, gaps, tests of a line, flame graph and a coverage run", { skip: python === undefined }, async (t) => {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "footfall-")));
  t.after(() => rmSync(root, { recursive: true }));
  const main = join(root, "main.py");
  writeFileSync(
    main,
    "def double(x):\n    if x > 5:\n        return 0\n    return sum(2 for _ in range(x * 500_000))\n",
  );
  writeFileSync(
    join(root, "test_main.py"),
    "import main, pytest\n\n\ndef test_double():\n    assert main.double(4)\n\n\ndef test_skipped():\n    pytest.skip()\n",
  );
  const tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--footfall", "--footfall-context=test"];
  execFileSync(python as string, tests, { cwd: root, env: { ...process.env, PYTHONPATH: "." } });

  const shown = new Map<unknown, { range: fake.Range; hoverMessage?: string[] }[]>();
  const editor = {
    document: { uri: new fake.Uri(main), languageId: "python", isDirty: false },
    selection: { active: new fake.Position(3, 0) },
    setDecorations: (type: unknown, options: { range: fake.Range }[]) => shown.set(type, options),
  };
  fake.seen.folder = { uri: new fake.Uri(root), name: "project", index: 0 };
  fake.seen.settings = { python, testCommand: tests };
  process.env.PYTHONPATH = ".";
  fake.window.visibleTextEditors = [editor];
  fake.window.activeTextEditor = editor;
  const context = { subscriptions: [] as { dispose(): void }[] };
  activate(context as unknown as ExtensionContext);
  t.after(() => context.subscriptions.forEach((each) => each.dispose()));

  await until(() => shown.size === 7); // five states, the note at the top and the times
  const lines = [...shown].map(([type, all]) => [
    (type as { borderColor?: fake.ThemeColor }).borderColor?.id ?? "text",
    all.map(({ range }) => range.start.line + 1),
  ]);
  assert.deepEqual(lines.slice(0, 3), [
    ["testing.iconPassed", [1, 4]],
    ["editorWarning.foreground", [2]],
    ["testing.iconFailed", [3]],
  ]);
  assert.deepEqual(lines[5], ["text", []]);
  assert.deepEqual(lines[6], ["text", [4]]);

  const tree = fake.seen.tree as Tree;
  const [row] = await tree.getChildren();
  assert.equal(tree.getTreeItem(row).label, "double");
  assert.match(tree.getTreeItem(row).description, /^main.py:1/);

  fake.seen.pick = "test_main.py::test_double";
  await fake.seen.commands.get("footfall.whoTests")?.();
  assert.deepEqual(fake.seen.picked, ["test_main.py::test_double"]);
  assert.deepEqual(fake.seen.opened.splice(0), [{ path: join(root, "test_main.py"), line: 4 }]);
  fake.seen.pick = undefined;

  // what was not saved is, before a file is run
  fake.workspace.textDocuments.push({ isDirty: true });
  await fake.seen.commands.get("footfall.profileFile")?.();
  assert.deepEqual([fake.seen.saves, fake.seen.typed.splice(0)], [2, [`${python} -m footfall run ${main}`]]);

  await fake.seen.commands.get("footfall.flame")?.();
  const { webview } = fake.seen.panel as { webview: { html: string; messages: fake.EventEmitter } };
  assert.match(webview.html, /Content-Security-Policy/);
  webview.messages.fire({ open: `${main}#L4` } as never);
  await until(() => fake.seen.opened.length > 0);
  webview.messages.fire({ open: "/no/such/file.py#L4" } as never);
  await until(() => fake.seen.errors.length > 0);
  assert.deepEqual(fake.seen.errors.splice(0), ["footfall: There is no /no/such/file.py"]);
  assert.deepEqual(fake.seen.opened, [{ path: main, line: 4 }]);

  const hoverAt = async (line: number) => {
    const hover = await fake.seen.hovers?.provideHover(editor.document, new fake.Position(line - 1, 0));
    return hover?.contents.map(({ value }) => value.replaceAll(/\\([^\w\s])/g, "$1")).join("; ") ?? "";
  };
  assert.match(await hoverAt(4), /^Run by 1 test .*Run only these tests.*test_main.py::test_double/s);
  assert.match(await hoverAt(2), /^line 2 didn't jump to line 3 because .*; Run by 1 test/);
  // while it is edited, what is said follows the text
  const [document, changed] = [editor.document, { contentChanges: [{ range: new fake.Range(0, 0), text: "# new\n" }] }];
  document.isDirty = true;
  fake.seen.changes.fire({ document, ...changed } as never);
  assert.match(await hoverAt(3), /^line 3 didn't jump to line 4 because [^;]*$/);
  document.isDirty = false;
  fake.seen.changes.fire({ document, contentChanges: [{ range: new fake.Range(0, 0, 1, 0), text: "" }] } as never);
  await until(async () => /^line 2 didn't jump to line 3 .*Run by 1/.test(await hoverAt(2)));

  const profile = fake.seen.runProfile as { run: (...args: unknown[]) => Promise<void> } & TestRunProfile;
  const token = { isCancellationRequested: false, onCancellationRequested: () => {} } as unknown as CancellationToken;
  await profile.run({}, token);
  const outcomes = [
    ["test_double", "passed"],
    ["test_skipped", "skipped"],
    ["All tests of project", "passed"],
  ];
  assert.deepEqual(fake.seen.outcomes, outcomes);
  const covered = fake.seen.coverage.find((file) => file.uri.fsPath === main) as unknown as FileCoverage;
  assert.deepEqual({ ...covered.statementCoverage }, { covered: 3, total: 4 });
  const { includesTests } = covered as unknown as { includesTests: { label: string }[] };
  assert.deepEqual(
    includesTests.map((each) => each.label),
    ["test_double"],
  );
  const details = await profile.loadDetailedCoverage?.({} as TestRun, covered, token);
  const told = (details as unknown as (fake.StatementCoverage & { name?: string })[]).map((each) => [
    each.name ?? each.location.line + 1,
    each.executed,
  ]);
  assert.deepEqual(told.sort(), [
    [1, true],
    [2, true],
    [3, false],
    [4, true],
    ["double", true],
  ]);

  // some tests alone: their coverage is shown, and the whole suite's data stays
  const data = statSync(join(root, ".coverage")).mtimeMs;
  fake.seen.outcomes.length = fake.seen.coverage.length = 0;
  await fake.seen.commands.get("footfall.runTestsOfLine")?.();
  assert.deepEqual(fake.seen.outcomes, outcomes.slice(0, 1));
  assert.equal(statSync(join(root, ".coverage")).mtimeMs, data);
  assert.ok(fake.seen.coverage.some((file) => file.uri.fsPath === main));

  const { controller } = fake.seen;
  const all = controller?.items.get(`file://${root}`) as fake.TestItem;
  const spaced = join(root, "a dir");
  mkdirSync(spaced);
  const wrong = "import pytest\n\n\n@pytest.mark.parametrize('x', ['b: c'])\ndef test_wrong(x):\n    assert not x\n";
  writeFileSync(join(spaced, "test_more.py"), wrong);
  await controller?.resolveHandler?.(all);
  const placesOf = (item: fake.TestItem): unknown[] => [
    item.label,
    item.range && item.range.start.line + 1,
    ...[...item.children].map(([, child]) => placesOf(child)),
  ];
  assert.deepEqual(
    [...all.children].map(([, item]) => placesOf(item)),
    [
      ["test_main.py", undefined, ["test_double", 4], ["test_skipped", 8]],
      ["a dir", undefined, ["test_more.py", undefined, ["test_wrong[b: c]", 4]]],
    ],
  );
  // what is compared may be of a process that was attached to
  writeFileSync(join(root, ".footfall", "attach-7.coverage"), "");
  fake.seen.picked.length = 0;
  await fake.seen.commands.get("footfall.compare")?.();
  const labels = (fake.seen.picked as unknown as { label: string }[]).map(({ label }) => label);
  assert.deepEqual(labels, [
    ".coverage",
    ".footfall/attach-7.coverage",
    ".footfall/some-tests.coverage",
    "Another file...",
  ]);
  await fake.seen.commands.get("footfall.openProfile")?.();
  assert.deepEqual(fake.seen.dialogs, [root]);

  // with two folders, what is of one says which
  fake.seen.others = [{ uri: new fake.Uri("/other"), name: "other", index: 1 }];
  assert.match(tree.getTreeItem(row).description, /^main.py:1 \(project\)/);
  await fake.seen.commands.get("footfall.flame")?.();
  assert.equal((fake.seen.panel as { title?: string }).title, "footfall: .coverage (project)");
  fake.seen.others = [];

  // the test nearest above the cursor, with its own flame graph
  const ofTests = { ...editor.document, uri: fake.Uri.file(join(root, "test_main.py")) };
  fake.window.activeTextEditor = { ...editor, document: ofTests, selection: { active: new fake.Position(6, 0) } };
  fake.seen.outcomes.length = 0;
  await fake.seen.commands.get("footfall.profileTest")?.();
  assert.deepEqual(fake.seen.outcomes, outcomes.slice(0, 1));
  const ofTest = fake.seen.panel as { title?: string; webview: { html: string } };
  assert.equal(ofTest.title, "footfall: test_main.py::test_double");
  assert.match(ofTest.webview.html, /location\.hash = "test=test_main\.py%3A%3Atest_double&frames=own"/);
  fake.window.activeTextEditor = { ...editor, document: ofTests, selection: { active: new fake.Position(0, 0) } };
  await fake.seen.commands.get("footfall.profileTest")?.();
  assert.deepEqual(fake.seen.errors.splice(0), ["footfall: Put the cursor in a test first."]);
  // what keeps its tests from being found is said
  const inTest = { ...editor, document: ofTests, selection: { active: new fake.Position(6, 0) } };
  fake.window.activeTextEditor = inTest;
  const ofTestsNow = readFileSync(join(root, "test_main.py"), "utf8");
  writeFileSync(join(root, "test_main.py"), `${ofTestsNow}1 / 0\n`);
  const whyOf = async () => {
    await fake.seen.commands.get("footfall.profileTest")?.();
    return fake.seen.errors.splice(0).join("\n");
  };
  const start = `footfall: The tests of ${join(root, "test_main.py")} were not found: `;
  assert.equal(await whyOf(), `${start}ZeroDivisionError: division by zero`);
  writeFileSync(join(root, "test_main.py"), ofTestsNow);
  const { testCommand } = fake.seen.settings;
  fake.seen.settings.testCommand = ["-m", "footfall", "run", "anything.py"];
  assert.match(
    await whyOf(),
    /footfall\.testCommand runs no pytest, unittest or Django: -m footfall run anything\.py$/,
  );
  fake.seen.settings.testCommand = testCommand;
  fake.window.activeTextEditor = editor;

  fake.seen.outcomes.length = fake.seen.coverage.length = 0;
  const [[, ofFile], [, ofFolder]] = [...all.children];
  const [, [, skipped]] = [...ofFile.children];
  await profile.run({ include: [skipped, ofFolder, ...[...ofFolder.children].map(([, item]) => item)] }, token);
  assert.deepEqual(fake.seen.outcomes, [
    ["test_wrong[b: c]", "failed at line 6"],
    ["test_skipped", "skipped"],
  ]);
  const imported = fake.seen.coverage.find((file) => file.uri.fsPath === main);
  assert.deepEqual({ ...imported?.statementCoverage }, { covered: 1, total: 4 });

  // unittest's tests, by its own names
  const unit =
    "import unittest\n\nimport main\n\n\nclass TestMain(unittest.TestCase):\n    def test_double(self):\n        self.assertEqual(main.double(9), 1)\n";
  writeFileSync(join(root, "test_unit.py"), unit);
  fake.seen.settings.testCommand = ["-m", "footfall", "run", "-q", "-m", "unittest"];
  await controller?.resolveHandler?.(all);
  const units = [...all.children].map(([, item]) => item);
  assert.deepEqual(units.map(placesOf), [["test_unit", undefined, ["TestMain", undefined, ["test_double", 7]]]]);
  fake.seen.outcomes.length = fake.seen.coverage.length = 0;
  await profile.run({ include: units }, token);
  assert.deepEqual(fake.seen.outcomes, [["test_double", "failed at line 8"]]);
  const tested = fake.seen.coverage.find((file) => file.uri.fsPath === main);
  assert.deepEqual({ ...tested?.statementCoverage }, { covered: 3, total: 4 });
  assert.equal(statSync(join(root, ".coverage")).mtimeMs, data);
  // in a module that can't be imported they stay, with the error, and are not run
  writeFileSync(join(root, "test_unit.py"), `${unit}1 / 0\n`);
  await controller?.resolveHandler?.(all);
  assert.deepEqual([...all.children].map(([, item]) => placesOf(item)).length, 1);
  assert.match(units[0].error ?? "", /ZeroDivisionError/);
  fake.seen.outcomes.length = 0;
  await profile.run({ include: units }, token);
  assert.deepEqual(
    fake.seen.outcomes.map(([label, outcome]) => [label, /ZeroDivisionError/.test(outcome)]),
    [["test_double", true]],
  );

  // the file changes and comes back without the editor, which reads it again: no save tells of that
  const isGrey = () =>
    [...shown].some(([type, all]) => {
      const { borderColor } = type as { borderColor?: fake.ThemeColor };
      return borderColor?.id === "disabledForeground" && all.length > 0;
    });
  const text = readFileSync(main, "utf8");
  assert.ok(!isGrey());
  for (const [now, expected] of [[`# new\n${text}`, true] as const, [text, false] as const]) {
    writeFileSync(main, now);
    fake.seen.changes.fire({ document: editor.document, contentChanges: [now] } as never);
    await until(() => isGrey() === expected);
  }

  // a run whose tests have no contexts has coverage all the same
  fake.seen.settings.testCommand = tests.slice(0, -1);
  fake.seen.coverage.length = 0;
  await profile.run({}, token);
  const plain = fake.seen.coverage.find((file) => file.uri.fsPath === main);
  assert.deepEqual([plain?.statementCoverage.total, plain?.includesTests], [4, []]);

  // pytest ends before it has run anything: what was measured before is not shown as this run's
  fake.seen.settings.testCommand = [...tests, "--no-such-option"];
  fake.seen.coverage.length = 0;
  await profile.run({}, token);
  assert.deepEqual(fake.seen.coverage, []);
  assert.match(fake.seen.output.at(-1) ?? "", /has not written .*\.coverage/);
  assert.deepEqual(fake.seen.errors, []);
});

test(
  "tests of a folder below pytest's root directory run by their names",
  { skip: python === undefined },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "footfall-")));
    t.after(() => rmSync(root, { recursive: true }));
    const folder = join(root, "sub");
    const file = join(folder, "test_a.py");
    mkdirSync(folder);
    writeFileSync(join(root, "pytest.ini"), "[pytest]\n");
    writeFileSync(file, "def test_a():\n    pass\n\n\ndef test_b():\n    pass\n");
    fake.seen.folder = { uri: new fake.Uri(folder), name: "sub", index: 0 };
    const testCommand = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--footfall", "--footfall-context=test"];
    fake.seen.settings = { python, testCommand };
    fake.window.visibleTextEditors = [];
    const context = { subscriptions: [] as { dispose(): void }[] };
    activate(context as unknown as ExtensionContext);
    t.after(() => context.subscriptions.forEach((each) => each.dispose()));
    const { controller } = fake.seen;
    const all = controller?.items.get(`file://${folder}`) as fake.TestItem;
    await controller?.resolveHandler?.(all);
    const placesOf = (item: fake.TestItem): unknown[] => [
      item.label,
      item.uri?.fsPath,
      ...[...item.children].map(([, child]) => placesOf(child)),
    ];
    assert.deepEqual(
      [...all.children].map(([, item]) => placesOf(item)),
      [["sub", folder, ["test_a.py", file, ["test_a", file], ["test_b", file]]]],
    );
    const [[, directory]] = [...all.children];
    const [[, ofFile]] = [...directory.children];
    const [[, first]] = [...ofFile.children];
    const profile = fake.seen.runProfile as { run: (...args: unknown[]) => Promise<void> };
    fake.seen.outcomes.length = 0;
    await profile.run({ include: [first] }, {});
    assert.deepEqual(fake.seen.outcomes, [["test_a", "passed"]]);

    // more than fit in a command run all the same, and no others; one that is gone says so
    const many = "import pytest\n@pytest.mark.parametrize('n', range(1100))\ndef test_many(n):\n    pass\n";
    writeFileSync(join(folder, "test_many.py"), many);
    await controller?.resolveHandler?.(all);
    const chosen = [...directory.children].flatMap(([, each]) => [...each.children].map(([, item]) => item));
    writeFileSync(file, "def test_b():\n    pass\n");
    fake.seen.outcomes.length = 0;
    await profile.run({ include: chosen.slice(0, -1) }, {}); // test_a, test_b, and all but the last
    const told = new Map(fake.seen.outcomes);
    assert.deepEqual([told.size, told.get("test_b"), told.has("test_many[1099]")], [1101, "passed", false]);
    assert.match(told.get("test_a") ?? "", /not among the tests that were found/);
    assert.ok(!existsSync(join(folder, ".coverage")));
    rmSync(join(folder, "test_many.py"));
    // the command's options count where tests are looked for
    fake.seen.settings.testCommand = [...testCommand, "-k", "test_b"];
    writeFileSync(file, "def test_a():\n    pass\n\n\ndef test_b():\n    pass\n");
    await controller?.resolveHandler?.(all);
    assert.deepEqual(
      [...ofFile.children].map(([, item]) => item.label),
      ["test_b"],
    );
    fake.seen.settings.testCommand = testCommand;
    await controller?.resolveHandler?.(all);

    // a file with a syntax error keeps its tests, with the error, until it is mended
    const labels = () => [...ofFile.children].map(([, item]) => item.label).sort();
    writeFileSync(file, "def test_a(:\n");
    await controller?.resolveHandler?.(all);
    assert.deepEqual(labels(), ["test_a", "test_b"]);
    assert.match(ofFile.error ?? "", /SyntaxError/);
    assert.equal(all.error, undefined);
    writeFileSync(file, "def test_b():\n    pass\n");
    await controller?.resolveHandler?.(all);
    assert.deepEqual([labels(), ofFile.error], [["test_b"], undefined]);
    assert.equal(all.error, undefined);
    // of a new one there are no tests yet, and a run that looked at nothing has taken none away
    writeFileSync(join(folder, "test_new.py"), "def test_new(:\n");
    await controller?.resolveHandler?.(all);
    assert.match(all.error ?? "", /test_new\.py\n.*SyntaxError/s);
    rmSync(join(folder, "test_new.py"));
    writeFileSync(join(root, "pytest.ini"), "[pytest]\naddopts = --ignore-glob=* no_such_dir\n");
    await controller?.resolveHandler?.(all);
    assert.match(all.error ?? "", /no_such_dir/);
    assert.deepEqual(labels(), ["test_b"]);
  },
);

test(
  "the marks come back when the service has ended, and after many ends it is said",
  { skip: python === undefined },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "footfall-")));
    t.after(() => rmSync(root, { recursive: true }));
    // a Python that notes its process
    const noting = join(root, "python");
    writeFileSync(noting, `#!/bin/sh\necho $$ >> ${root}/pids\nexec ${python} "$@"\n`);
    chmodSync(noting, 0o755);
    fake.seen.settings = { python: noting };
    fake.seen.warnings.length = 0;
    const folder = { uri: new fake.Uri(root), name: "project", index: 0 };
    const project = new Project(folder as never, fake.window.createOutputChannel() as never);
    t.after(() => project.dispose());
    let changes = 0;
    project.onDataChanged(() => changes++);
    await project.dataPath();
    const pids = () => readFileSync(join(root, "pids"), "utf8").trim().split("\n").map(Number);
    fake.seen.answer = "Restart"; // what is said is answered at once
    for (let ends = 1; ends <= 3; ends++) {
      assert.deepEqual([pids().length, fake.seen.warnings.length], [ends, 0]);
      process.kill(pids().at(-1) as number, "SIGKILL");
      await until(() => changes === ends); // by itself: nobody has asked
    }
    assert.deepEqual(fake.seen.warnings, [
      "footfall: The service of project ends again and again: the service was ended by SIGKILL",
    ]);
    assert.equal(pids().length, 4);
  },
);

test(
  "a text that changed where nobody has the measured one says so at its top",
  { skip: python === undefined },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "footfall-")));
    t.after(() => rmSync(root, { recursive: true }));
    const main = join(root, "main.py");
    writeFileSync(main, "x = 1\n");
    execFileSync(python as string, ["-m", "footfall", "run", "-q", "--no-profile", "main.py"], { cwd: root });
    fake.seen.settings = { python };
    const folder = { uri: new fake.Uri(root), name: "project", index: 0 };
    const log = fake.window.createOutputChannel() as never;
    const project = new Project(folder as never, log);
    t.after(() => project.dispose());
    const decorations = new Decorations(() => project, log);
    t.after(() => decorations.dispose());
    type Shown = { range: fake.Range; renderOptions?: { after: { contentText: string } } };
    const shown: Shown[] = [];
    const document = { uri: new fake.Uri(main), languageId: "python", isDirty: false };
    const editor = { document, setDecorations: (_type: unknown, options: Shown[]) => shown.push(...options) };
    writeFileSync(main, "x = 2\n");
    await decorations.refresh(editor as never);
    assert.deepEqual(
      shown.map(({ range, renderOptions }) => [range.start.line, renderOptions?.after.contentText]),
      [[0, `${main} in .coverage: it was changed since, and git does not have what was measured.`]],
    );
    // as it was measured it has marks, and no note
    shown.length = 0;
    writeFileSync(main, "x = 1\n");
    await decorations.refresh(editor as never);
    assert.deepEqual(
      shown.map(({ range, renderOptions }) => [range.start.line, renderOptions]),
      [[0, undefined]],
    );
  },
);

test(
  "data that a run could not write here are found where it wrote them",
  { skip: python === undefined },
  async (t) => {
    const root = realpathSync(mkdtempSync(join(tmpdir(), "footfall-")));
    t.after(() => rmSync(root, { recursive: true }));
    const [here, elsewhere] = [join(root, "project"), join(root, "elsewhere")];
    mkdirSync(here);
    mkdirSync(elsewhere);
    writeFileSync(join(elsewhere, "main.py"), "x = 1\n");
    execFileSync(python as string, ["-m", "footfall", "run", "-q", "main.py"], { cwd: elsewhere });
    fake.seen.settings = { python };
    process.env.XDG_CACHE_HOME = join(root, "cache");
    t.after(() => delete process.env.XDG_CACHE_HOME);
    const folder = { uri: new fake.Uri(here), name: "project", index: 0 };
    const project = new Project(folder as never, fake.window.createOutputChannel() as never);
    t.after(() => project.dispose());
    assert.equal(await project.dataPath(), join(here, ".coverage"));
    const note = [
      "import sys; from footfall.record.data.elsewhere import note_elsewhere as note; note(*sys.argv[1:])",
      join(here, ".coverage"),
      join(elsewhere, ".coverage"),
    ];
    execFileSync(python as string, ["-c", ...note]);
    assert.equal(await project.dataPath(), join(elsewhere, ".coverage"));
  },
);

test("data of our own runs are in .footfall, or elsewhere where that can't be written", (t) => {
  const root = mkdtempSync(join(tmpdir(), "footfall-"));
  t.after(() => rmSync(root, { recursive: true }));
  const own = new OwnDirectory(root);
  const file = own.file("attach-7.coverage");
  assert.equal(file, join(root, ".footfall", "attach-7.coverage"));
  assert.equal(readFileSync(join(root, ".footfall", ".gitignore"), "utf8"), "*\n");
  writeFileSync(file, "");
  assert.deepEqual(own.dataFiles(), [file]);

  const elsewhere = new OwnDirectory("/proc");
  const other = elsewhere.file("attach-7.coverage");
  assert.ok(other.startsWith(join(tmpdir(), "footfall-")));
  assert.equal(elsewhere.file("attach-7.coverage"), other);
  writeFileSync(other, "");
  assert.deepEqual(elsewhere.dataFiles(), [other]);
  elsewhere.dispose();
  assert.ok(!existsSync(other));
});

test("an interpreter without footfall is named, with what to do", async (t) => {
  const root = mkdtempSync(join(tmpdir(), "footfall-"));
  t.after(() => rmSync(root, { recursive: true }));
  const bare = join(root, "python");
  writeFileSync(bare, '#!/bin/sh\necho "$0: No module named footfall" >&2\nexit 1\n');
  chmodSync(bare, 0o755);
  fake.seen.settings = { python: bare };
  const folder = { uri: new fake.Uri(root), name: "project", index: 0 };
  const project = new Project(folder as never, fake.window.createOutputChannel() as never);
  assert.match((await project.whyMissing()) ?? "", /^footfall is not installed for/); // instead of a run of its tests
  await assert.rejects(project.ask("coverage/files", {}), /not installed for .*python\. Run: .*python -m pip install/);
  if (python === undefined) return;
  // another is named in the settings
  let changes = 0;
  project.onDataChanged(() => changes++);
  fake.seen.settings = { python };
  project.changeInterpreter();
  assert.deepEqual([changes, await project.whyMissing()], [1, undefined]);
  project.dispose();
});
