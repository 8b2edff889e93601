// What the editor starts: one project for each folder of the workspace, and the commands and views that ask it.
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";

import { compareRuns } from "./editor/compare";
import { Decorations } from "./editor/decorations";
import { openFlame } from "./editor/flamePanel";
import { GapsView, OPEN_GAP } from "./editor/gaps";
import { LineHover } from "./editor/lineHover";
import { attachToProcess, profileCommand, profileFile } from "./editor/profiling";
import { describe, openMeasured, Project } from "./editor/project";
import { Tests } from "./editor/testRun";
import type { TestsOfLine } from "./service/answers";

/** A save that formats, or a file that is read again, is several changes. */
const SETTLED_MS = 50;
const SAVING_MS = 5000;

/** Say that no test runs a line, and whether anything else does. */
function whyNone({ name, line, state, is_run_outside_tests: isRun }: TestsOfLine): string {
  if (state === "none") return `There is no statement at ${name}:${line}.`;
  if (state === "excluded") return `${name}:${line} is excluded from coverage.`;
  return `No test runs ${name}:${line}${isRun ? "; code outside of tests does" : ""}.`;
}

/** Run it; what it throws at once is a rejection too. */
const attempt = async (run: () => Promise<unknown>) => run();

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("footfall", { log: true });
  const projects = new Map<string, Project>();
  const projectOf = (uri: vscode.Uri) => {
    const folder = vscode.workspace.getWorkspaceFolder(uri);
    return folder && projects.get(folder.uri.toString());
  };
  const decorations = new Decorations(projectOf, log);
  const gaps = new GapsView(() => projects.values());
  const tests = new Tests();

  const add = (folder: vscode.WorkspaceFolder) => {
    const project = new Project(folder, log);
    project.onDataChanged(() => {
      gaps.refresh();
      void decorations.refreshAll();
    });
    projects.set(folder.uri.toString(), project);
    // the first file's marks need not wait until the service has started
    if (existsSync(join(folder.uri.fsPath, ".coverage"))) void project.dataPath();
  };
  const remove = (folder: vscode.WorkspaceFolder) => {
    projects.get(folder.uri.toString())?.dispose();
    projects.delete(folder.uri.toString());
  };
  vscode.workspace.workspaceFolders?.forEach(add);
  tests.show(projects.values());

  /** The project of the editor that is used, or the first. */
  const current = () => {
    const editor = vscode.window.activeTextEditor;
    const project = (editor && projectOf(editor.document.uri)) ?? [...projects.values()][0];
    if (project === undefined) throw new Error("Open a folder first.");
    return project;
  };
  const currentPath = () => {
    const document = vscode.window.activeTextEditor?.document;
    if (document?.languageId !== "python") throw new Error("Put the cursor on a line of a Python file first.");
    return document.uri.fsPath;
  };
  /** Its path and line; the answers are about the file, not about a text that was not saved. */
  const currentPlace = () => {
    const path = currentPath();
    const { document, selection } = vscode.window.activeTextEditor as vscode.TextEditor;
    if (document.isDirty) throw new Error("Save the file first.");
    return { path, line: selection.active.line + 1 };
  };
  /** Save what is being edited, as the editor does before it runs something. */
  const saveAll = async () => {
    const document = vscode.window.activeTextEditor?.document;
    if (document?.isUntitled) await document.save();
    // whether it says that it has saved all does not count: the editor may be saving by itself at this moment
    const isLeft = () => vscode.workspace.textDocuments.some((each) => each.isDirty && !each.isUntitled);
    for (const start = Date.now(); ; await new Promise((resolve) => setTimeout(resolve, SETTLED_MS))) {
      await vscode.workspace.saveAll(false);
      if (!isLeft()) return;
      if (Date.now() - start > SAVING_MS) throw new Error("Save the file first.");
    }
  };
  const waiting = new Map<vscode.TextDocument, NodeJS.Timeout>();
  const refreshSoon = (document: vscode.TextDocument) => {
    clearTimeout(waiting.get(document));
    const refresh = () => {
      waiting.delete(document);
      const shown = vscode.window.visibleTextEditors.filter((editor) => editor.document === document);
      void Promise.all(shown.map((editor) => decorations.refresh(editor)));
    };
    waiting.set(document, setTimeout(refresh, SETTLED_MS));
  };
  const command = <A extends unknown[]>(name: string, run: (...args: A) => Promise<unknown>) =>
    vscode.commands.registerCommand(name, (...args: A) =>
      attempt(() => run(...args)).catch((error: unknown) =>
        vscode.window.showErrorMessage(`footfall: ${describe(error)}`),
      ),
    );

  context.subscriptions.push(
    log,
    decorations,
    vscode.window.registerTreeDataProvider("footfall.gaps", gaps),
    tests,
    vscode.languages.registerHoverProvider(
      { language: "python", scheme: "file" },
      new LineHover(projectOf, decorations),
    ),
    vscode.window.onDidChangeVisibleTextEditors(() => decorations.refreshAll()),
    vscode.workspace.onDidSaveTextDocument((document) => {
      refreshSoon(document);
      if (document.languageId === "python") gaps.noteSaved(document.uri.fsPath);
    }),
    // a text that is read again because its file has changed is not saved by anyone
    vscode.workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      decorations.noteEdits(document, contentChanges);
      if (!document.isDirty && contentChanges.length > 0) refreshSoon(document);
    }),
    vscode.workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration("footfall.python")) projects.forEach((project) => project.changeInterpreter());
    }),
    vscode.workspace.onDidChangeWorkspaceFolders((change) => {
      change.removed.forEach(remove);
      change.added.forEach(add);
      tests.show(projects.values());
      gaps.refresh();
    }),
    command(OPEN_GAP, openMeasured),
    command("footfall.toggleMarks", () => decorations.toggle()),
    command("footfall.flame", () => openFlame(current())),
    command("footfall.openProfile", async () => {
      const project = current();
      const [file] =
        (await vscode.window.showOpenDialog({
          title: "Open a profile",
          canSelectMany: false,
          defaultUri: project.folder.uri,
        })) ?? [];
      if (file !== undefined) await openFlame(project, { profile: file.fsPath });
    }),
    command("footfall.flameOfFile", () => openFlame(current(), { path: currentPath() })),
    command("footfall.compare", () => compareRuns(current())),
    command("footfall.attach", () => attachToProcess(current())),
    command("footfall.profileCommand", async () => {
      await saveAll();
      await profileCommand(current());
    }),
    command("footfall.profileFile", async () => {
      currentPath();
      await saveAll();
      await profileFile(current(), currentPath());
    }),
    command("footfall.profileTest", async () => {
      currentPath();
      await saveAll();
      const [project, { path, line }] = [current(), currentPlace()];
      const { dataFile, title, test } = await tests.runAt(project, path, line);
      await openFlame(
        project,
        { profile: dataFile },
        title,
        test === undefined ? { frames: "own" } : { test, frames: "own" },
      );
    }),
    command("footfall.runTestsOfLine", async (uri?: string, at?: number) => {
      const given = uri === undefined || at === undefined ? undefined : vscode.Uri.parse(uri);
      const place = given === undefined ? currentPlace() : { path: given.fsPath, line: at as number };
      const project = (given && projectOf(given)) ?? current();
      const found = await project.ask("tests/of_line", { ...place, count: 0 });
      if (found.tests.length === 0) throw new Error(whyNone(found));
      await tests.runNamed(project, found.tests);
    }),
    command("footfall.whoTests", async () => {
      const [project, place] = [current(), currentPlace()];
      const found = await project.ask("tests/of_line", { ...place, count: 0 });
      if (found.tests.length === 0) {
        await vscode.window.showInformationMessage(whyNone(found));
        return;
      }
      const title = `Tests that run ${found.name}:${place.line} (${found.tests.length})`;
      const placeHolder = "Choose one to go to it";
      const chosen = await vscode.window.showQuickPick(found.tests, { title, placeHolder });
      if (chosen !== undefined) await tests.open(project, chosen);
    }),
    { dispose: () => waiting.forEach((timer) => clearTimeout(timer)) },
    { dispose: () => projects.forEach((project) => project.dispose()) },
  );
  void decorations.refreshAll();
}
