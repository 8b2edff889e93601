// The Python in whose environment footfall is installed: the setting, the Python extension's choice, the folder's .venv, or python3.
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as vscode from "vscode";

interface PythonApi {
  environments: { getActiveEnvironmentPath(resource?: vscode.Uri): { path: string } };
}

export async function interpreterOf(folder: vscode.WorkspaceFolder): Promise<string> {
  const chosen = vscode.workspace.getConfiguration("footfall", folder.uri).get<string>("python", "");
  if (chosen) return chosen;
  const extension = vscode.extensions.getExtension<PythonApi>("ms-python.python");
  if (extension === undefined) return ownEnvironment(folder) ?? "python3";
  const api = extension.isActive ? extension.exports : await extension.activate();
  return api.environments.getActiveEnvironmentPath(folder.uri).path || "python3";
}

function ownEnvironment(folder: vscode.WorkspaceFolder): string | undefined {
  const python = join(folder.uri.fsPath, ".venv", "bin", "python");
  return existsSync(python) ? python : undefined;
}
