// What the editor starts: one project for each folder of the workspace, and the commands and views that ask it.
import * as vscode from "vscode";

import { Decorations } from "./editor/decorations";
import { openFlame } from "./editor/flamePanel";
import { GapsView } from "./editor/gaps";
import { describe, Project } from "./editor/project";
import { makeController } from "./editor/testRun";

export function activate(context: vscode.ExtensionContext): void {
  const log = vscode.window.createOutputChannel("footfall", { log: true });
  const projects = new Map<string, Project>();
  const projectOf = (uri: vscode.Uri) => {
    const folder = vscode.workspace.getWorkspaceFolder(uri);
    return folder && projects.get(folder.uri.toString());
  };
  const decorations = new Decorations(projectOf);
  const gaps = new GapsView(() => projects.values());

  const add = (folder: vscode.WorkspaceFolder) => {
    const project = new Project(folder, log);
    project.onDataChanged(() => {
      gaps.refresh();
      void decorations.refreshAll();
    });
    projects.set(folder.uri.toString(), project);
  };
  const remove = (folder: vscode.WorkspaceFolder) => {
    projects.get(folder.uri.toString())?.dispose();
    projects.delete(folder.uri.toString());
  };
  vscode.workspace.workspaceFolders?.forEach(add);

  /** The project of the editor that is used, or the first. */
  const current = () => {
    const editor = vscode.window.activeTextEditor;
    const project = (editor && projectOf(editor.document.uri)) ?? [...projects.values()][0];
    if (project === undefined) throw new Error("Open a folder first.");
    return project;
  };
  const command = (name: string, run: () => Promise<unknown>) =>
    vscode.commands.registerCommand(name, () =>
      run().catch((error: unknown) => vscode.window.showErrorMessage(`footfall: ${describe(error)}`)),
    );

  context.subscriptions.push(
    log,
    decorations,
    vscode.window.registerTreeDataProvider("footfall.gaps", gaps),
    makeController(() => projects.values()),
    vscode.window.onDidChangeVisibleTextEditors(() => decorations.refreshAll()),
    vscode.workspace.onDidSaveTextDocument((document) => {
      const shown = vscode.window.visibleTextEditors.filter((editor) => editor.document === document);
      return Promise.all(shown.map((editor) => decorations.refresh(editor)));
    }),
    vscode.workspace.onDidChangeWorkspaceFolders((change) => {
      change.removed.forEach(remove);
      change.added.forEach(add);
      gaps.refresh();
    }),
    command("footfall.toggleMarks", () => decorations.toggle()),
    command("footfall.flame", () => openFlame(current())),
    command("footfall.openProfile", async () => {
      const [file] = (await vscode.window.showOpenDialog({ title: "Open a profile", canSelectMany: false })) ?? [];
      if (file !== undefined) await openFlame(current(), file.fsPath);
    }),
    command("footfall.whoTests", async () => {
      const editor = vscode.window.activeTextEditor;
      if (editor === undefined) throw new Error("Put the cursor on a line of a Python file first.");
      const line = editor.selection.active.line + 1;
      const found = await current().ask("tests/of_line", { path: editor.document.uri.fsPath, line });
      const title = `Tests that run ${found.name}:${line}`;
      if (found.tests.length > 0) await vscode.window.showQuickPick(found.tests, { title });
      else await vscode.window.showInformationMessage(`No test runs ${found.name}:${line}.`);
    }),
    { dispose: () => projects.forEach((project) => project.dispose()) },
  );
  void decorations.refreshAll();
}
