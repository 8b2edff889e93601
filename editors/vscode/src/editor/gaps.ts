// The tree of untested code, what takes the most time first.
import { join } from "node:path";
import * as vscode from "vscode";

import { percent } from "../marks";
import type { Gap } from "../service/answers";
import type { Project } from "./project";

const MOST = 200;

interface Row {
  gap: Gap;
  total: number;
  root: string;
}

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
      const root = project.folder.uri.fsPath;
      rows.push(...(found?.gaps ?? []).map((gap) => ({ gap, total: found?.total_seconds ?? 0, root })));
    }
    return rows;
  }

  getTreeItem({ gap, total, root }: Row): vscode.TreeItem {
    const item = new vscode.TreeItem(gap.function || "the top level");
    const seconds = gap.untested_seconds || gap.own_seconds;
    item.description = `${gap.file}:${gap.start_line}${total && seconds ? `  ${percent(seconds / total)}` : ""}`;
    item.tooltip = `No test runs ${gap.missing}`;
    const options = { selection: new vscode.Range(gap.start_line - 1, 0, gap.start_line - 1, 0) };
    const uri = vscode.Uri.file(gap.file.startsWith("/") ? gap.file : join(root, gap.file));
    item.command = { command: "vscode.open", title: "Open", arguments: [uri, options] };
    return item;
  }
}
