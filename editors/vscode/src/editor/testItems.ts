// The tests of the projects as the editor's view of tests has them: one item for each folder, and under it the tests that are found.
import { execFile } from "node:child_process";
import { existsSync, statSync } from "node:fs";
import { dirname, join } from "node:path";
import * as vscode from "vscode";

import type { FailedFile, FoundTest } from "../outcomes";
import { runnerOf } from "../testCommand";
import { GrowingFile } from "./growingFile";
import { interpreterOf } from "./interpreter";
import type { Project } from "./project";

const LONGEST_OUTPUT = 64 * 1024 * 1024;
/** What ends with these has looked at everything: 1 is of plugins that judge what ran, 5 of no tests. */
const WHOLE: readonly unknown[] = [0, 1, 5];

export class TestItems {
  private readonly projects = new Map<string, Project>();
  private readonly names = new WeakMap<vscode.TestItem, string>();
  /** The items of tests of a folder, by their names. */
  private readonly byName = new WeakMap<vscode.TestItem, Map<string, vscode.TestItem>>();
  private readonly roots = new WeakMap<vscode.TestItem, string>();
  /** When the tests of a folder were last looked for. */
  private readonly collected = new WeakMap<vscode.TestItem, number>();

  constructor(private readonly controller: vscode.TestController) {
    controller.resolveHandler = async (item) => {
      if (item !== undefined) await this.collect(item);
    };
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
    let root = item;
    while (root.parent !== undefined) root = root.parent;
    return this.projects.get(root.id);
  }

  ofProject(project: Project): vscode.TestItem | undefined {
    return this.controller.items.get(project.folder.uri.toString());
  }

  /** Return the tests that items stand for: themselves, or those in them, each once. */
  testsIn(items: Iterable<vscode.TestItem>): vscode.TestItem[] {
    const found = new Set<vscode.TestItem>();
    const add = (item: vscode.TestItem) => {
      if (this.names.has(item)) found.add(item);
      for (const [, child] of item.children) add(child);
    };
    for (const item of items) add(item);
    return [...found];
  }

  /** Return the name of a test, as pytest or unittest has it; undefined for the item of a folder, file or class. */
  nameOf(item: vscode.TestItem): string | undefined {
    return this.names.get(item);
  }

  /** Return the item of a test, a new one if it was not known; `path` is its file, if that is known. */
  named(all: vscode.TestItem, name: string, path?: string): vscode.TestItem {
    const known = this.ofNames(all).get(name);
    if (known !== undefined) return known;
    const { groups, label } = placeInTree(name);
    const parts = groups.filter((group) => group.isFile).map((group) => group.label);
    let directory = this.rootOf(all, parts, path);
    const uri = path === undefined && parts.length === 0 ? all.uri : vscode.Uri.file(path ?? join(directory, ...parts));
    let parent = all;
    for (const group of groups) {
      const id = `${parent.id}/${group.label}`;
      if (group.isFile) directory = join(directory, group.label);
      parent =
        parent.children.get(id) ?? this.added(parent, id, group.label, group.isFile ? vscode.Uri.file(directory) : uri);
    }
    const item = this.added(parent, `${all.id}#${name}`, label, uri);
    this.names.set(item, name);
    this.ofNames(all).set(name, item);
    return item;
  }

  /** Return where the names of a folder's tests begin: pytest's root directory, which may be above the folder. */
  private rootOf(all: vscode.TestItem, parts: readonly string[], path: string | undefined): string {
    const folder = all.uri?.fsPath ?? "";
    if (parts.length === 0) return folder;
    const end = `/${parts.join("/")}`;
    if (path?.endsWith(end)) this.roots.set(all, path.slice(0, -end.length) || "/");
    const told = this.roots.get(all);
    if (told !== undefined) return told;
    let root = folder; // nobody has told: the nearest from where there is such a file
    while (!existsSync(join(root, ...parts)) && dirname(root) !== root) root = dirname(root);
    return existsSync(join(root, ...parts)) ? root : folder;
  }

  private added(parent: vscode.TestItem, id: string, label: string, uri: vscode.Uri | undefined): vscode.TestItem {
    const item = this.controller.createTestItem(id, label, uri);
    parent.children.add(item);
    return item;
  }

  private ofNames(all: vscode.TestItem): Map<string, vscode.TestItem> {
    const found = this.byName.get(all) ?? new Map<string, vscode.TestItem>();
    this.byName.set(all, found);
    return found;
  }

  /** Return the tests of a file, or of the files in a directory. */
  under(all: vscode.TestItem, path: string): vscode.TestItem[] {
    return [...this.ofNames(all).values()].filter((item) => isUnder(item.uri?.fsPath ?? "", path));
  }

  /** Return where a test begins; undefined if it is not there any more. */
  async placeOf(project: Project, name: string): Promise<{ path: string; line: number } | undefined> {
    const all = this.ofProject(project);
    if (all === undefined) return undefined;
    const known = this.ofNames(all).get(name);
    const written = statSync(known?.uri?.fsPath ?? "", { throwIfNoEntry: false })?.mtimeMs ?? Infinity;
    if (known?.range === undefined || written >= (this.collected.get(all) ?? 0)) await this.collect(all);
    const { uri, range } = this.ofNames(all).get(name) ?? {};
    return uri && range && { path: uri.fsPath, line: range.start.line + 1 };
  }

  /**
   * Return the tests that begin nearest above a line of a file: several, if one function is run with several parameters;
   * none if none does. What keeps the file's tests from being found is an error.
   */
  async above(project: Project, path: string, line: number): Promise<vscode.TestItem[]> {
    const all = this.ofProject(project);
    if (all === undefined) return [];
    const said = await this.collect(all); // it may have just been written
    const failed = typeof said === "string" ? undefined : said.failed.find((each) => isUnder(path, each.path));
    const why = failed?.error ?? (typeof said === "string" ? said : said.isCutShort ? said.said : undefined);
    const begins = (item: vscode.TestItem) => (item.range?.start.line ?? line) + 1;
    const found = [...this.ofNames(all).values()].filter((item) => item.uri?.fsPath === path && begins(item) <= line);
    if (failed !== undefined || typeof said === "string" || (found.length === 0 && why)) {
      throw new Error((await project.whyMissing()) ?? `The tests of ${path} were not found: ${gist(why ?? "")}`);
    }
    const nearest = Math.max(...found.map(begins));
    return found.filter((item) => begins(item) === nearest);
  }

  /** Look for a folder's tests. Return what was found, or why nothing could be. */
  private async collect(all: vscode.TestItem): Promise<Collected | string> {
    const project = this.projects.get(all.id);
    if (project === undefined) return "";
    const started = Date.now();
    const found = await collectedTests(project.folder);
    if (typeof found === "string") return found;
    this.collected.set(all, started);
    const there = new Set(found.tests.map((test) => this.placed(all, test)));
    for (const [name, item] of [...this.ofNames(all)]) {
      const path = item.uri?.fsPath ?? "";
      // what could not be collected keeps the tests that it had
      if (there.has(item) || found.isCutShort || found.failed.some((each) => isUnder(path, each.path))) continue;
      this.ofNames(all).delete(name);
      // with the classes, files and folders in which it was the last
      for (let gone = item; gone.parent !== undefined && gone.children.size === 0;) {
        const { parent } = gone;
        parent.children.delete(gone.id);
        gone = parent;
      }
    }
    const errors = new Map(found.failed.map(({ path, error }) => [path, error]));
    const mark = (item: vscode.TestItem) => {
      const path = item.uri?.fsPath ?? "";
      item.error = errors.get(path);
      errors.delete(path); // a class in the file has the same path
      for (const [, child] of item.children) if (!this.names.has(child)) mark(child);
    };
    mark(all);
    const others = [...errors].map(([path, error]) => `${path}\n${error}`); // of which no test is known
    if (others.length > 0) all.error = others.join("\n\n");
    else if (found.isCutShort && found.failed.length === 0) all.error = found.said;
    return found;
  }

  /** Return the item of a test that was found, at its place, where the editor has a button that runs it. */
  private placed(all: vscode.TestItem, { test, path, line }: FoundTest): vscode.TestItem {
    const item = this.named(all, test, path);
    item.range = line === null ? undefined : new vscode.Range(line - 1, 0, line - 1, 0);
    return item;
  }
}

function isUnder(path: string, above: string): boolean {
  return path === above || path.startsWith(`${above}/`);
}

/** Return the line of what pytest or Python said that has the error, for a message that is short. */
function gist(text: string): string {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  return (lines.filter((line) => /^E\s/.test(line)).at(-1) ?? lines.at(-1) ?? "").replace(/^E\s+/, "").trim();
}

interface Group {
  label: string;
  /** A folder or file; else a class, or a module by its dotted name. */
  isFile: boolean;
}

/** Return what a test is in, outermost first, and what it is called there: of a name that pytest or unittest gives. */
export function placeInTree(name: string): { groups: Group[]; label: string } {
  const start = name.split("[")[0]; // a parameter may have anything in it
  if (start.includes("::")) {
    const [file, ...rest] = start.split("::");
    const label = `${rest.pop()}${name.slice(start.length)}`;
    const files = file.split("/").map((part) => ({ label: part, isFile: true }));
    return { groups: [...files, ...rest.map((part) => ({ label: part, isFile: false }))], label };
  }
  const dotted = /^((?:\w+\.)*\w+)\.(\w+)\.(\w+)$/.exec(name);
  if (dotted === null) return { groups: [], label: name };
  const [, module, group, label] = dotted;
  return { groups: [module, group].map((part) => ({ label: part, isFile: false })), label };
}

export function testCommandOf(folder: vscode.WorkspaceFolder): string[] {
  return vscode.workspace.getConfiguration("footfall", folder.uri).get<string[]>("testCommand", []);
}

interface Collected {
  tests: FoundTest[];
  failed: FailedFile[];
  /** Whether it ended before it had looked at everything, as with pytest's option -x; `said` may be why. */
  isCutShort: boolean;
  said: string;
}

/** Return the tests that are found; a text, the reason, if what runs them can't be asked for them, or found out nothing. */
async function collectedTests(folder: vscode.WorkspaceFolder): Promise<Collected | string> {
  const command = testCommandOf(folder);
  const runner = runnerOf(command);
  if (runner === undefined)
    return `the setting footfall.testCommand runs no pytest, unittest or Django: ${command.join(" ")}`;
  const python = await interpreterOf(folder);
  const file = new GrowingFile();
  const options = { cwd: folder.uri.fsPath, maxBuffer: LONGEST_OUTPUT };
  try {
    const [status, said] = await new Promise<[unknown, string]>((resolve) =>
      execFile(python, runner.collect(file.path), options, (error, _output, errors) =>
        resolve([error === null ? 0 : error.code, errors.trim() || (error?.message ?? "")]),
      ),
    );
    if (!existsSync(file.path)) return said || `nothing was written by ${command.join(" ")}`;
    const lines = file.read() as (FoundTest | FailedFile)[];
    const failed = lines.filter((each): each is FailedFile => "error" in each);
    const tests = lines.filter((each): each is FoundTest => "test" in each);
    const isCutShort = failed.length > 0 ? tests.length === 0 : !WHOLE.includes(status);
    return { tests, failed, isCutShort, said };
  } finally {
    file.remove();
  }
}
