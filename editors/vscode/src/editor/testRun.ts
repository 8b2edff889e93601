// "Run with footfall": the tests of a folder, or some of them, with their coverage for the editor's own coverage views.
import { spawn } from "node:child_process";
import * as vscode from "vscode";

import { marksOf } from "../marks";
import { hasSkipped, outcomesOf, SUMMARY_OPTIONS } from "../outcomes";
import type { FileCoverage, FilesCoverage } from "../service/answers";
import { interpreterOf } from "./interpreter";
import type { Project } from "./project";
import { testCommandOf, TestItems } from "./testItems";

/** The number of tests up to which a run of them names each to pytest; more would not fit in a command. */
const MOST_NAMED = 1000;

class CoveredFile extends vscode.FileCoverage {
  /** The editor's since 1.94. */
  includesTests?: vscode.TestItem[];

  constructor(
    readonly project: Project,
    { path, summary }: FilesCoverage["files"][number],
  ) {
    const branches = new vscode.TestCoverageCount(summary.covered_branches ?? 0, summary.num_branches ?? 0);
    super(
      vscode.Uri.file(path),
      new vscode.TestCoverageCount(summary.covered_lines, summary.num_statements),
      summary.num_branches ? branches : undefined,
    );
  }
}

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
    const run = (request: vscode.TestRunRequest, token: vscode.CancellationToken) => this.run(request, token);
    this.profile = this.controller.createRunProfile("Run with footfall", kind, run, true);
    this.profile.loadDetailedCoverage = (_run, file) => this.details(file);
    this.profile.loadDetailedCoverageForTest = (_run, file, item) => this.details(file, this.items.nameOf(item));
  }

  show(projects: Iterable<Project>): void {
    this.items.show(projects);
  }

  /** Run only the tests of these names. */
  async runNamed(project: Project, names: readonly string[]): Promise<void> {
    const all = this.items.ofProject(project);
    if (all === undefined) return;
    const request = new vscode.TestRunRequest(
      names.map((name) => this.items.named(all, name)),
      undefined,
      this.profile,
    );
    const source = new vscode.CancellationTokenSource();
    await this.run(request, source.token);
    source.dispose();
  }

  dispose(): void {
    this.controller.dispose();
  }

  private async run(request: vscode.TestRunRequest, token: vscode.CancellationToken): Promise<void> {
    const run = this.controller.createTestRun(request);
    const excluded = new Set(request.exclude);
    const chosen = (request.include ?? [...this.controller.items].map(([, each]) => each)).filter(
      (item) => !excluded.has(item),
    );
    const byProject = new Map<Project, vscode.TestItem[]>();
    for (const item of chosen) {
      const project = this.items.projectOf(item);
      if (project !== undefined) byProject.set(project, [...(byProject.get(project) ?? []), item]);
    }
    try {
      for (const [project, items] of byProject) await this.runIn(project, items, run, token);
    } finally {
      run.end();
    }
  }

  private async runIn(
    project: Project,
    items: vscode.TestItem[],
    run: vscode.TestRun,
    token: vscode.CancellationToken,
  ): Promise<void> {
    const all = this.items.ofProject(project);
    if (all === undefined) return;
    const names = items.includes(all) ? [] : items.map((item) => this.items.nameOf(item) ?? "");
    const command = testCommandOf(project.folder);
    const asked = command.includes("pytest") ? [...SUMMARY_OPTIONS, ...(names.length > MOST_NAMED ? [] : names)] : [];
    for (const item of items) run.started(item);
    const started = Date.now();
    const { status, output } = await runCommand(project.folder, [...command, ...asked], run, token);
    const spent = Date.now() - started;
    const told = new Set<vscode.TestItem>();
    for (const { name, outcome, message } of outcomesOf(output)) {
      const item = this.items.named(all, name);
      told.add(item);
      if (outcome === "passed") run.passed(item);
      else run.failed(item, new vscode.TestMessage(message || "It failed: see the output of the run."));
    }
    for (const item of items) {
      if (told.has(item)) continue;
      const isSkipped = item !== all && status === 0 && hasSkipped(output);
      if (token.isCancellationRequested || isSkipped) run.skipped(item);
      else if (status === 0) run.passed(item, spent);
      else run.errored(item, new vscode.TestMessage(`The tests ended with status ${status}.`), spent);
    }
    await this.addCoverage(project, all, run);
  }

  private async addCoverage(project: Project, all: vscode.TestItem, run: vscode.TestRun): Promise<void> {
    const found = await project.askIfThere("coverage/files", {});
    if (found === undefined) return;
    const tested = await project.askIfThere("tests/by_file", { count: 0 });
    const items = tested?.names.map((name) => this.items.named(all, name)) ?? [];
    const testsOf = new Map(tested?.files.map((file) => [file.path, file.tests]));
    for (const file of found.files) {
      const covered = new CoveredFile(project, file);
      covered.includesTests = testsOf.get(file.path)?.map((each) => items[each]);
      run.addCoverage(covered);
    }
  }

  private async details(file: vscode.FileCoverage, test?: string): Promise<vscode.FileCoverageDetail[]> {
    if (!(file instanceof CoveredFile)) return [];
    return detailsOf(await file.project.ask("coverage/file", { path: file.uri.fsPath, test }));
  }
}

/** Run the interpreter with these arguments, its output in the run's. A cancelled run is interrupted as by Ctrl-C. */
async function runCommand(
  folder: vscode.WorkspaceFolder,
  command: string[],
  run: vscode.TestRun,
  token: vscode.CancellationToken,
): Promise<{ status: number | null; output: string }> {
  const python = await interpreterOf(folder);
  let output = "";
  const status = await new Promise<number | null>((resolve) => {
    const child = spawn(python, command, { cwd: folder.uri.fsPath });
    const show = (text: string) => {
      output += text;
      run.appendOutput(text.replaceAll("\n", "\r\n"));
    };
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", show);
    child.on("error", (error) => run.appendOutput(`${error.message}\r\n`));
    child.on("close", resolve);
    token.onCancellationRequested(() => child.kill("SIGINT"));
  });
  return { status, output };
}

/** A file's statements with their branches, and its functions, as the editor counts them. */
function detailsOf(file: FileCoverage): vscode.FileCoverageDetail[] {
  if (file.is_stale === true) return []; // it was changed while the tests ran
  const place = (line: number) => new vscode.Position(line - 1, 0);
  const firstLines = new Set([...file.coverage.executed_lines, ...file.coverage.missing_lines]);
  const statements = marksOf(file)
    .filter((mark) => firstLines.has(mark.line))
    .map((mark) => {
      const ways = file.branches[mark.line] ?? [];
      const branches = ways.map(
        (way) => new vscode.BranchCoverage(way.taken, undefined, way.to > 0 ? `line ${way.to}` : "exit"),
      );
      return new vscode.StatementCoverage(mark.state !== "missing", place(mark.line), branches);
    });
  const functions = Object.entries(file.coverage.functions ?? {})
    .filter(([name]) => name !== "")
    .map(
      ([name, region]) =>
        new vscode.DeclarationCoverage(name, region.executed_lines.length > 0, place(region.start_line)),
    );
  return [...statements, ...functions];
}
