// A file's coverage as the editor's own views have it: its numbers, and on request its statements, branches and functions.
import * as vscode from "vscode";

import { marksOf } from "../marks";
import type { FileCoverage, FilesCoverage } from "../service/answers";
import type { Ask } from "./project";

export class CoveredFile extends vscode.FileCoverage {
  /** The editor's since 1.94, which begins with none: undefined would be an error. */
  declare includesTests?: vscode.TestItem[];

  constructor(
    readonly ask: Ask,
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

/** Return the details of a file; with `test`, a test's name, of what that test ran. */
export async function detailsOf(file: vscode.FileCoverage, test?: string): Promise<vscode.FileCoverageDetail[]> {
  if (!(file instanceof CoveredFile)) return [];
  return detailsFrom(await file.ask("coverage/file", { path: file.uri.fsPath, test }));
}

/** A file's statements with their branches, and its functions, as the editor counts them. */
function detailsFrom(file: FileCoverage): vscode.FileCoverageDetail[] {
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
