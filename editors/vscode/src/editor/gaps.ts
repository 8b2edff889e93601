// The tree of untested code, what takes the most time first.
import { join } from "node:path";
import * as vscode from "vscode";

import { percent } from "../marks";
import type { Gap, Gaps } from "../service/answers";
import { inFolder, type Project } from "./project";

const MOST = 200;

/** Not in the palette: it takes a project, a path and a line. */
export const OPEN_GAP = "footfall.openGap";

interface GapRow {
  gap: Gap;
  total: number;
  project: Project;
}

/** A text stands for what is not listed, and for what qualifies the list. */
interface Note {
  text: string;
  details: string;
}

type Row = GapRow | Note;

export class GapsView implements vscode.TreeDataProvider<Row> {
  private readonly changed = new vscode.EventEmitter<void>();
  private readonly saved = new Set<string>();
  readonly onDidChangeTreeData = this.changed.event;

  constructor(private readonly projects: () => Iterable<Project>) {}

  refresh(): void {
    this.saved.clear();
    this.changed.fire();
  }

  /** Say that a file may have changed: once until there is new data, since the gaps stay those of the measured text. */
  noteSaved(path: string): void {
    if (this.saved.has(path)) return;
    this.saved.add(path);
    this.changed.fire();
  }

  async getChildren(row?: Row): Promise<Row[]> {
    if (row !== undefined) return [];
    const rows: Row[] = [];
    for (const project of this.projects()) {
      const found = await project.askIfThere("coverage/gaps", { count: MOST });
      if (found === undefined) continue;
      const { gaps, n_gaps: n, total_seconds: total } = found;
      rows.push(...notesOn(found, inFolder(project)));
      rows.push(...gaps.map((gap) => ({ gap, total, project })));
      if (n > gaps.length) rows.push({ text: `and ${n - gaps.length} more${inFolder(project)}`, details: "" });
    }
    return rows;
  }

  getTreeItem(row: Row): vscode.TreeItem {
    if ("text" in row) {
      const note = new vscode.TreeItem(row.text);
      note.tooltip = row.details;
      return note;
    }
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

/** Return what is to be said of files that are not as they were measured, and of those that are left out. */
function notesOn({ stale_files: stale, unreadable }: Gaps, where: string): Note[] {
  const notes: Note[] = [];
  const counted = (count: number) => `${count} ${count === 1 ? "file" : "files"}`;
  const since = (count: number) => `changed since ${count === 1 ? "it was" : "they were"} measured`;
  if (stale.length > 0) {
    const details = `The gaps are those of the text as measured. Run the tests again.\n${stale.join("\n")}`;
    notes.push({ text: `${counted(stale.length)} ${since(stale.length)}${where}`, details });
  }
  if (unreadable.length > 0) {
    const details = unreadable.map(({ text }) => text).join("\n");
    notes.push({ text: `${counted(unreadable.length)} left out${where}`, details });
  }
  return notes;
}
