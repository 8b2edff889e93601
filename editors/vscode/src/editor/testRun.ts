// "Run with footfall": the tests of a folder, or some of them, with their coverage for the editor's own coverage views.
import { spawn } from "node:child_process";
import { rmSync, statSync } from "node:fs";
import * as vscode from "vscode";

import type { TestOutcome } from "../outcomes";
import { runnerOf } from "../testCommand";
import { CoveredFile, detailsOf } from "./coveredFile";
import { GrowingFile } from "./growingFile";
import { interpreterOf } from "./interpreter";
import { describe, openAt, type Ask, type Project } from "./project";
import { testCommandOf, TestItems } from "./testItems";

const LOOK_AGAIN_MS = 300;
const NOT_THERE = "It was not run: it is not among the tests that were found.";
/** The data of a run of some tests: that of the whole suite stays as it is. */
const DATA_OF_SOME = "some-tests.coverage";

/** The editor's own profile, with what it got in 1.94. */
interface PerTestProfile extends vscode.TestRunProfile {
  loadDetailedCoverageForTest?: (
    run: vscode.TestRun,
    file: vscode.FileCoverage,
    item: vscode.TestItem,
  ) => Promise<vscode.FileCoverageDetail[]>;
}

export class Tests implements vscode.Disposable {
  private readonly controller = vscode.tests.createTestController("footfall", "footfall");
  private readonly items = new TestItems(this.controller);
  private readonly profile: PerTestProfile;

  constructor() {
    const kind = vscode.TestRunProfileKind.Coverage;
    const run = (request: vscode.TestRunRequest) => this.run(request);
    this.profile = this.controller.createRunProfile("Run with footfall", kind, run, true);
    this.profile.loadDetailedCoverage = (_run, file) => detailsOf(file);
    this.profile.loadDetailedCoverageForTest = (_run, file, item) => detailsOf(file, this.items.nameOf(item));
  }

  show(projects: Iterable<Project>): void {
    this.items.show(projects);
  }

  /** Run only the tests of these names. */
  async runNamed(project: Project, names: readonly string[]): Promise<void> {
    const all = this.items.ofProject(project);
    if (all === undefined) return;
    const items = names.map((name) => this.items.named(all, name));
    await this.run(new vscode.TestRunRequest(items, undefined, this.profile));
  }

  /** Run the test at a line. Return the data file of the run, what was run, and the test's name if it is one alone. */
  async runAt(
    project: Project,
    path: string,
    line: number,
  ): Promise<{ dataFile: string; title: string; test: string | undefined }> {
    const items = await this.items.above(project, path, line);
    if (items.length === 0) throw new Error("Put the cursor in a test first.");
    await this.run(new vscode.TestRunRequest(items, undefined, this.profile));
    const dataFile = project.own.file(DATA_OF_SOME);
    if (stateOf(dataFile) === undefined) throw new Error("The test has left no data: see the output of its run.");
    const name = this.items.nameOf(items[0]) ?? "";
    return items.length === 1
      ? { dataFile, title: name, test: name }
      : { dataFile, title: name.split("[")[0], test: undefined };
  }

  /** Go to the test of this name. */
  async open(project: Project, name: string): Promise<void> {
    const place = await this.items.placeOf(project, name);
    if (place === undefined) throw new Error(`Among the tests that are found now there is no ${name}.`);
    await openAt(place.path, place.line);
  }

  dispose(): void {
    this.controller.dispose();
  }

  private async run(request: vscode.TestRunRequest): Promise<void> {
    const run = this.controller.createTestRun(request); // its token is cancelled however the run was started
    const excluded = new Set(this.items.testsIn(request.exclude ?? []));
    const asked = (request.include ?? [...this.controller.items].map(([, each]) => each)).filter(
      (item) => !request.exclude?.includes(item),
    );
    // a project is run as a whole; of anything else in the tree, what is in it
    const chosen = asked.flatMap((item) =>
      item.parent === undefined ? [item] : this.items.testsIn([item]).filter((test) => !excluded.has(test)),
    );
    const byProject = new Map<Project, vscode.TestItem[]>();
    for (const item of new Set(chosen)) {
      const project = this.items.projectOf(item);
      if (project !== undefined) byProject.set(project, [...(byProject.get(project) ?? []), item]);
    }
    try {
      for (const [project, items] of byProject) {
        if (!run.token.isCancellationRequested) await this.runIn(project, items, excluded, run);
      }
    } finally {
      run.end();
    }
  }

  private async runIn(
    project: Project,
    items: vscode.TestItem[],
    excluded: ReadonlySet<vscode.TestItem>,
    run: vscode.TestRun,
  ): Promise<void> {
    const all = this.items.ofProject(project);
    if (all === undefined) return;
    const missing = await project.whyMissing();
    if (missing !== undefined) {
      for (const item of items) run.errored(item, new vscode.TestMessage(missing));
      run.appendOutput(`footfall: ${missing}\r\n`);
      return;
    }
    const command = testCommandOf(project.folder);
    const runner = runnerOf(command);
    const namesOf = (those: Iterable<vscode.TestItem>) => [...those].flatMap((item) => this.items.nameOf(item) ?? []);
    const choice = { only: items.includes(all) ? [] : namesOf(items), except: namesOf(excluded) };
    const isWhole = runner === undefined || (choice.only.length === 0 && choice.except.length === 0);
    let dataFile = isWhole ? await project.dataPath() : project.own.file(DATA_OF_SOME);
    const before = stateOf(dataFile);
    if (!isWhole) rmSync(dataFile, { force: true });
    const outcomes = new GrowingFile();
    const chosen = isWhole ? undefined : outcomes.beside("choice.json", JSON.stringify(choice));
    const asked = runner?.run(outcomes.path, chosen) ?? [...command];
    const environment: Record<string, string> = {};
    if (!isWhole && command.includes("--footfall")) asked.push(`--footfall-data-file=${dataFile}`);
    else if (!isWhole) environment.COVERAGE_FILE = dataFile;
    const told = new Set<vscode.TestItem>();
    const tell = () => {
      for (const each of outcomes.read() as TestOutcome[]) {
        const ofFile = each.error === undefined ? undefined : this.items.under(all, each.path ?? "");
        if (ofFile?.length === 0) ofFile.push(all);
        for (const item of ofFile ?? [this.items.named(all, each.test, each.path)]) {
          told.add(item);
          if (ofFile === undefined) show(run, item, each);
          else run.errored(item, new vscode.TestMessage(each.error ?? ""));
        }
      }
    };
    for (const item of items) run.started(item);
    const started = Date.now();
    const timer = setInterval(tell, LOOK_AGAIN_MS);
    const status = await runCommand(project.folder, asked, environment, run);
    clearInterval(timer);
    tell();
    outcomes.remove();
    const spent = Date.now() - started;
    for (const item of items.filter((each) => !told.has(each))) {
      const isOne = runner !== undefined && this.items.nameOf(item) !== undefined;
      if (run.token.isCancellationRequested) run.skipped(item);
      else if (isOne && (status === 0 || status === 5)) run.errored(item, new vscode.TestMessage(NOT_THERE));
      else if (isOne && status === 1)
        run.skipped(item); // others failed, after which there may be none, as with pytest's option -x
      else if (status === 0) run.passed(item, spent);
      else if (status === 1 && told.size > 0)
        run.failed(item, [], spent); // what failed says so itself
      else run.errored(item, new vscode.TestMessage(`The tests ended with status ${status}.`), spent);
    }
    if (isWhole && stateOf(dataFile) === before) dataFile = await project.dataPath(); // it may have been written elsewhere
    if (stateOf(dataFile) === undefined || (isWhole && stateOf(dataFile) === before)) {
      const how = `The setting footfall.testCommand says what runs the tests: ${command.join(" ")}`;
      run.appendOutput(`footfall: no coverage is shown, since the run has not written ${dataFile}. ${how}\r\n`);
      return;
    }
    const ask: Ask = isWhole ? (method, params) => project.ask(method, params) : await project.askOfRun(dataFile);
    try {
      await this.addCoverage(ask, all, run);
    } catch (error) {
      run.appendOutput(`footfall: ${describe(error)}\r\n`);
    }
  }

  private async addCoverage(ask: Ask, all: vscode.TestItem, run: vscode.TestRun): Promise<void> {
    const found = await ask("coverage/files", {});
    const tested = await ask("tests/by_file", { count: 0 }).catch(() => undefined); // there may be no contexts
    const items = tested?.names.map((name) => this.items.named(all, name)) ?? [];
    const testsOf = new Map(tested?.files.map((file) => [file.path, file.tests]));
    for (const file of found.files) {
      const covered = new CoveredFile(ask, file);
      const included = testsOf.get(file.path)?.map((each) => items[each]);
      if (included !== undefined) covered.includesTests = included;
      run.addCoverage(covered);
    }
  }
}

function show(run: vscode.TestRun, item: vscode.TestItem, found: TestOutcome): void {
  const spent = 1000 * found.seconds;
  if (found.outcome === "passed") run.passed(item, spent);
  else if (found.outcome === "skipped") run.skipped(item);
  else {
    const message = new vscode.TestMessage(found.message || "It failed: see the output of the run.");
    if (found.failed_path !== undefined && found.failed_line !== undefined) {
      const place = new vscode.Position(Math.max(found.failed_line, 1) - 1, 0);
      message.location = new vscode.Location(vscode.Uri.file(found.failed_path), place);
    }
    run.failed(item, message, spent);
  }
}

/** Return what changes when a file is written or replaced; undefined if there is none. */
function stateOf(path: string): string | undefined {
  const found = statSync(path, { bigint: true, throwIfNoEntry: false });
  return found && `${found.mtimeNs} ${found.size} ${found.ino}`;
}

/** Run the interpreter with these arguments, its output in the run's. A cancelled run is interrupted as by Ctrl-C. */
async function runCommand(
  folder: vscode.WorkspaceFolder,
  command: string[],
  environment: Record<string, string>,
  run: vscode.TestRun,
): Promise<number | null> {
  const python = await interpreterOf(folder);
  return new Promise<number | null>((resolve) => {
    const child = spawn(python, command, { cwd: folder.uri.fsPath, env: { ...process.env, ...environment } });
    const show = (text: string) => run.appendOutput(text.replaceAll(/\r?\n/g, "\r\n"));
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", show);
    child.on("error", (error) => run.appendOutput(`${error.message}\r\n`));
    child.on("close", resolve);
    if (run.token.isCancellationRequested) child.kill("SIGINT");
    run.token.onCancellationRequested(() => child.kill("SIGINT"));
  });
}
