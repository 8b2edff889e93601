// Two profiles in one flame graph, coloured by what became slower and faster.
import { existsSync } from "node:fs";
import { relative } from "node:path";
import * as vscode from "vscode";

import { openFlame } from "./flamePanel";
import type { Project } from "./project";

const MOST_FILES = 200;

export async function compareRuns(project: Project): Promise<void> {
  const before = await chooseProfile(project, "Compare two runs: the earlier one");
  if (before === undefined) return;
  const profile = await chooseProfile(project, "Compare two runs: the later one");
  if (profile !== undefined) await openFlame(project, { before, profile });
}

/** Let the user choose among the data files of the project, or any other file. */
async function chooseProfile(project: Project, title: string): Promise<string | undefined> {
  const { folder } = project;
  const pattern = new vscode.RelativePattern(folder, "**/{.coverage,.coverage.*,*.coverage}");
  const uris = await vscode.workspace.findFiles(pattern, undefined, MOST_FILES);
  const root = folder.uri.fsPath;
  const found = new Set([...uris.map((uri) => uri.fsPath), ...project.own.dataFiles()]);
  const data = await project.dataPath(); // elsewhere, if the folder can't be written
  if (existsSync(data)) found.add(data);
  const rows = [...found].map((path) => ({ label: path.startsWith(`${root}/`) ? relative(root, path) : path, path }));
  rows.sort((a, b) => a.label.localeCompare(b.label));
  const other = { label: "Another file...", path: "" };
  const chosen = await vscode.window.showQuickPick([...rows, other], { title });
  if (chosen !== other) return chosen?.path;
  const [file] = (await vscode.window.showOpenDialog({ title, canSelectMany: false, defaultUri: folder.uri })) ?? [];
  return file?.fsPath;
}
