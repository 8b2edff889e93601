// "Run with footfall": all tests of a folder, with their coverage for the editor's own coverage views.
import { spawn } from "node:child_process";
import * as vscode from "vscode";

import { marksOf } from "../marks";
import type { FileCoverage, FilesCoverage } from "../service/answers";
import { interpreterOf } from "./interpreter";
import type { Project } from "./project";

class CoveredFile extends vscode.FileCoverage {
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

export function makeController(projects: () => Iterable<Project>): vscode.TestController {
  const controller = vscode.tests.createTestController("footfall", "footfall");
  const byId = new Map<string, Project>();
  controller.resolveHandler = () => {
    byId.clear();
    for (const project of projects()) byId.set(project.folder.uri.toString(), project);
    controller.items.replace(
      [...byId].map(([id, { folder }]) => controller.createTestItem(id, `All tests of ${folder.name}`, folder.uri)),
    );
  };
  const profile = controller.createRunProfile(
    "Run with footfall",
    vscode.TestRunProfileKind.Coverage,
    async (request, token) => {
      const run = controller.createTestRun(request);
      for (const item of request.include ?? [...controller.items].map(([, each]) => each)) {
        const project = byId.get(item.id);
        if (project !== undefined) await runAll(run, item, project, token);
      }
      run.end();
    },
    true,
  );
  profile.loadDetailedCoverage = async (_run, file) =>
    file instanceof CoveredFile ? details(await file.project.ask("coverage/file", { path: file.uri.fsPath })) : [];
  return controller;
}

async function runAll(
  run: vscode.TestRun,
  item: vscode.TestItem,
  project: Project,
  token: vscode.CancellationToken,
): Promise<void> {
  const { folder } = project;
  const command = vscode.workspace.getConfiguration("footfall", folder.uri).get<string[]>("testCommand", []);
  const python = await interpreterOf(folder);
  run.started(item);
  const started = Date.now();
  const status = await new Promise<number | null>((resolve) => {
    const child = spawn(python, command, { cwd: folder.uri.fsPath });
    const show = (text: Buffer) => run.appendOutput(text.toString().replaceAll("\n", "\r\n"));
    child.stdout.on("data", show);
    child.stderr.on("data", show);
    child.on("error", (error) => run.appendOutput(`${error.message}\r\n`));
    child.on("close", resolve);
    token.onCancellationRequested(() => child.kill("SIGINT"));
  });
  const spent = Date.now() - started;
  if (token.isCancellationRequested) run.skipped(item);
  else if (status === 0) run.passed(item, spent);
  else run.failed(item, new vscode.TestMessage(`The tests ended with status ${status}.`), spent);
  const found = await project.askIfThere("coverage/files", {});
  for (const file of found?.files ?? []) run.addCoverage(new CoveredFile(project, file));
}

/** A file's statements with their branches, and its functions, as the editor counts them. */
function details(file: FileCoverage): vscode.FileCoverageDetail[] {
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
