// The flame graph beside the editor: the viewer of the project's own footfall.
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

import { panelPage, placeOfLink } from "../flamePage";
import { openAt, type FlameOf, type Project } from "./project";

export async function openFlame(project: Project, of: FlameOf = {}): Promise<void> {
  const { title, page } = await project.flame(of);
  const options = { enableScripts: true, localResourceRoots: [], retainContextWhenHidden: true };
  const panel = vscode.window.createWebviewPanel(
    "footfall.flame",
    `footfall: ${title}`,
    vscode.ViewColumn.Beside,
    options,
  );
  panel.webview.onDidReceiveMessage(({ open }: { open: string }) => {
    const { path, line } = placeOfLink(open);
    void openAt(path, line);
  });
  panel.webview.html = panelPage(page, randomBytes(16).toString("base64url"));
}
