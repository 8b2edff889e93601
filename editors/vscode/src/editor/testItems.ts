// The tests of the projects as the editor's view of tests has them: one item for each folder, and under it the tests that pytest finds.
import { execFile } from "node:child_process";
import { join } from "node:path";
import * as vscode from "vscode";

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

  /** Return pytest's name of a test; undefined for the item of a folder. */
  nameOf(item: vscode.TestItem): string | undefined {
    return this.names.get(item);
  }

  /** Return the item of a test, a new one if it was not known. */
  named(all: vscode.TestItem, name: string): vscode.TestItem {
    const id = `${all.id}#${name}`;
    const known = all.children.get(id);
    if (known !== undefined) return known;
    const [file] = name.split("::", 1);
    const item = this.controller.createTestItem(id, name, vscode.Uri.file(join(all.uri?.fsPath ?? "", file)));
    this.names.set(item, name);
    all.children.add(item);
    return item;
  }

  private async collect(all: vscode.TestItem): Promise<void> {
    const project = this.projects.get(all.id);
    if (project === undefined) return;
    const names = await collectedTests(project.folder);
    const ids = new Set(names.map((name) => this.named(all, name).id));
    for (const [id] of [...all.children]) if (!ids.has(id)) all.children.delete(id);
  }
}

export function testCommandOf(folder: vscode.WorkspaceFolder): string[] {
  return vscode.workspace.getConfiguration("footfall", folder.uri).get<string[]>("testCommand", []);
}

/** Return the names of the tests that pytest finds; none if the tests are run by something else. */
async function collectedTests(folder: vscode.WorkspaceFolder): Promise<string[]> {
  if (!testCommandOf(folder).includes("pytest")) return [];
  const python = await interpreterOf(folder);
  const command = ["-m", "pytest", "--collect-only", "-q", "--color=no"];
  const options = { cwd: folder.uri.fsPath, maxBuffer: LONGEST_OUTPUT };
  const output = await new Promise<string>((resolve) => {
    execFile(python, command, options, (_error, stdout) => resolve(stdout)); // files that can't be imported are errors of theirs alone
  });
  return output
    .split(/\r?\n/)
    .filter((line) => /^[^\s:]+\.py::\S/.test(line))
    .map((line) => line.trimEnd());
}
