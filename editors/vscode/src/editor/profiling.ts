// Profiles that are made on request: of a running process, a file, a command.
import { spawn } from "node:child_process";
import * as vscode from "vscode";

import { pythonProcesses } from "../processes";
import { openFlame } from "./flamePanel";
import { interpreterOf } from "./interpreter";
import type { Project } from "./project";

/** Let the user choose a process, profile it for some time, and open its flame graph. */
export async function attachToProcess(project: Project): Promise<void> {
  const root = project.folder.uri.fsPath;
  const isHere = (directory: string) => directory === root || directory.startsWith(`${root}/`);
  const found = pythonProcesses();
  found.sort((a, b) => Number(isHere(b.directory)) - Number(isHere(a.directory)));
  const rows = found.map(({ pid, command, directory }) => ({
    label: command,
    description: `${pid}`,
    detail: directory,
    pid,
  }));
  if (rows.length === 0) throw new Error("There is no Python process of yours that runs.");
  const options = { title: "Profile a running process", matchOnDescription: true, matchOnDetail: true };
  const chosen = await vscode.window.showQuickPick(rows, options);
  if (chosen === undefined) return;
  const seconds = vscode.workspace.getConfiguration("footfall", project.folder.uri).get("attachSeconds", 10);
  const file = project.own.file(`attach-${chosen.pid}.coverage`);
  await vscode.window.withProgress(
    {
      location: vscode.ProgressLocation.Notification,
      title: `Profiling process ${chosen.pid} for ${seconds} s; Cancel ends it earlier`,
      cancellable: true,
    },
    (_progress, token) => attach(project, chosen.pid, seconds, file, token),
  );
  await openFlame(project, { profile: file });
}

async function attach(
  project: Project,
  pid: number,
  seconds: number,
  file: string,
  token: vscode.CancellationToken,
): Promise<void> {
  const python = await interpreterOf(project.folder);
  const command = ["-m", "footfall", "attach", String(pid), "--duration", String(seconds), "-q", "-o", file];
  await new Promise<void>((resolve, reject) => {
    const child = spawn(python, command, { cwd: project.folder.uri.fsPath, stdio: ["ignore", "ignore", "pipe"] });
    let said = "";
    child.stderr.on("data", (text: Buffer) => (said += text.toString()));
    child.on("error", reject);
    child.on("close", (status) => {
      if (status === 0) resolve();
      else reject(new Error(said.trim().replace(/^footfall: /, "") || `footfall attach ended with status ${status}`));
    });
    token.onCancellationRequested(() => child.kill("SIGINT")); // it writes what it has
  });
}

/** Run a command of the user's under footfall in a terminal; the marks follow when it has ended. */
export async function profileCommand(project: Project): Promise<void> {
  const command = await vscode.window.showInputBox({
    title: "Profile a command",
    prompt: "It runs in a terminal, as `footfall run COMMAND`",
    placeHolder: "main.py --option",
  });
  if (command) await runInTerminal(project, command);
}

export async function profileFile(project: Project, path: string): Promise<void> {
  await runInTerminal(project, shellWord(path));
}

async function runInTerminal(project: Project, command: string): Promise<void> {
  const python = await interpreterOf(project.folder);
  const terminal = vscode.window.createTerminal({ name: "footfall", cwd: project.folder.uri });
  terminal.show(true);
  terminal.sendText(`${shellWord(python)} -m footfall run ${command}`);
}

function shellWord(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
