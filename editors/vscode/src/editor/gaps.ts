// The tree of untested code, what takes the most time first.
import { join } from "node:path";
import * as vscode from "vscode";

import { percent } from "../marks";
import type { Gap } from "../service/answers";
import { inFolder, type Project } from "./project";

const MOST = 200;

/** Not in the palette: it takes a project, a path and a line. */
export const OPEN_GAP = "footfall.openGap";

interface GapRow {
  gap: Gap;
  total: number;
  project: Project;
}

/** A text stands for the gaps that are not listed. */
type Row = GapRow | string;

export class GapsView implements vscode.TreeDataProvider<Row> {
  private readonly changed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly projects: () => Iterable<Project>) {}

  refresh(): void {
    this.changed.fire();
  }

  async getChildren(row?: Row): Promise<Row[]> {
    if (row !== undefined) return [];
    const rows: Row[] = [];
    for (const project of this.projects()) {
      const found = await project.askIfThere("coverage/gaps", { count: MOST });
      if (found === undefined) continue;
      const { gaps, n_gaps: n, total_seconds: total } = found;
      rows.push(...gaps.map((gap) => ({ gap, total, project })));
      if (n > gaps.length) rows.push(`and ${n - gaps.length} more${inFolder(project)}`);
    }
    return rows;
  }

  getTreeItem(row: Row): vscode.TreeItem {
    if (typeof row === "string") return new vscode.TreeItem(row);
    const { gap, total, project } = row;
    const item = new vscode.TreeItem(gap.function || "the top level");
    const seconds = gap.untested_seconds || gap.own_seconds;
    item.description = `${gap.file}:${gap.start_line}${inFolder(project)}${total && seconds ? `  ${percent(seconds / total)}` : ""}`;
    item.tooltip = `No test runs ${gap.missing}`;
    const path = gap.file.startsWith("/") ? gap.file : join(project.folder.uri.fsPath, gap.file);
    item.command = { command: OPEN_GAP, title: "Open", arguments: [project, path, gap.start_line] };
    return item;
  }
}
