// The tests of the projects as the editor's view of tests has them: one item for each folder, and under it the tests that are found.
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";

import type { FoundTest } from "../outcomes";
import { runnerOf } from "../testCommand";
import { GrowingFile } from "./growingFile";
import { interpreterOf } from "./interpreter";
import type { Project } from "./project";

const LONGEST_OUTPUT = 64 * 1024 * 1024;

export class TestItems {
  private readonly projects = new Map<string, Project>();
  private readonly names = new WeakMap<vscode.TestItem, string>();

  constructor(private readonly controller: vscode.TestController) {
    controller.resolveHandler = (item) => (item === undefined ? undefined : this.collect(item));
    controller.refreshHandler = async () => {
      await Promise.all([...controller.items].map(([, item]) => this.collect(item)));
    };
  }

  /** Show these projects, at once: the editor has no command that runs tests until there are some. */
  show(projects: Iterable<Project>): void {
    this.projects.clear();
    for (const project of projects) this.projects.set(project.folder.uri.toString(), project);
    const items = [...this.projects].map(([id, { folder }]) => {
      const known = this.controller.items.get(id);
      const item = known ?? this.controller.createTestItem(id, `All tests of ${folder.name}`, folder.uri);
      item.canResolveChildren = true;
      return item;
    });
    this.controller.items.replace(items);
  }

  projectOf(item: vscode.TestItem): Project | undefined {
    return this.projects.get((item.parent ?? item).id);
  }

  ofProject(project: Project): vscode.TestItem | undefined {
    return this.controller.items.get(project.folder.uri.toString());
  }

  /** Return the name of a test, as pytest or unittest has it; undefined for the item of a folder. */
  nameOf(item: vscode.TestItem): string | undefined {
    return this.names.get(item);
  }

  /** Return the item of a test, a new one if it was not known. */
  named(all: vscode.TestItem, name: string, uri?: vscode.Uri): vscode.TestItem {
    const id = `${all.id}#${name}`;
    const known = all.children.get(id);
    if (known !== undefined) return known;
    const [file, ...rest] = name.split("::");
    const place = rest.length > 0 ? vscode.Uri.file(join(all.uri?.fsPath ?? "", file)) : all.uri;
    const item = this.controller.createTestItem(id, name, uri ?? place);
    this.names.set(item, name);
    all.children.add(item);
    return item;
  }

  /** Return the tests that begin nearest above a line of a file: several, if one function is run with several parameters. */
  async above(project: Project, path: string, line: number): Promise<vscode.TestItem[]> {
    const all = this.ofProject(project);
    if (all === undefined) return [];
    await this.collect(all); // it may have just been written
    const begins = (item: vscode.TestItem) => (item.range?.start.line ?? line) + 1;
    const found = [...all.children]
      .map(([, item]) => item)
      .filter((item) => item.uri?.fsPath === path && begins(item) <= line);
    const nearest = Math.max(...found.map(begins));
    return found.filter((item) => begins(item) === nearest);
  }

  private async collect(all: vscode.TestItem): Promise<void> {
    const project = this.projects.get(all.id);
    if (project === undefined) return;
    const found = await collectedTests(project.folder);
    if (found === undefined) return;
    const ids = new Set(found.map((test) => this.placed(all, test).id));
    for (const [id] of [...all.children]) if (!ids.has(id)) all.children.delete(id);
  }

  /** Return the item of a test that was found, at its place, where the editor has a button that runs it. */
  private placed(all: vscode.TestItem, { test, path, line }: FoundTest): vscode.TestItem {
    const item = this.named(all, test, vscode.Uri.file(path));
    item.range = line === null ? undefined : new vscode.Range(line - 1, 0, line - 1, 0);
    return item;
  }
}

export function testCommandOf(folder: vscode.WorkspaceFolder): string[] {
  return vscode.workspace.getConfiguration("footfall", folder.uri).get<string[]>("testCommand", []);
}

/** Return the tests that are found; undefined if something runs them that can't be asked for them, or found out nothing. */
async function collectedTests(folder: vscode.WorkspaceFolder): Promise<FoundTest[] | undefined> {
  const runner = runnerOf(testCommandOf(folder));
  if (runner === undefined) return undefined;
  const python = await interpreterOf(folder);
  const file = new GrowingFile();
  const options = { cwd: folder.uri.fsPath, maxBuffer: LONGEST_OUTPUT };
  try {
    // files that can't be imported are errors of theirs alone
    await new Promise<void>((resolve) => execFile(python, runner.collect(file.path), options, () => resolve()));
    return existsSync(file.path) ? (file.read() as FoundTest[]) : undefined;
  } finally {
    file.remove();
  }
}
