// The flame graph beside the editor: the viewer of the project's own footfall.
import { randomBytes } from "node:crypto";
import * as vscode from "vscode";

import { panelPage, placeOfLink } from "../flamePage";
import { openAt, type Project } from "./project";

export async function openFlame(project: Project, profile?: string): Promise<void> {
  const { title, page } =
    profile === undefined
      ? await project.ask("profile/flame", { page: true, links: true })
      : await project.flameOf(profile);
  const options = { enableScripts: true, localResourceRoots: [] };
  const panel = vscode.window.createWebviewPanel("footfall.flame", title, vscode.ViewColumn.Beside, options);
  panel.webview.onDidReceiveMessage(({ open }: { open: string }) => {
    const { path, line } = placeOfLink(open);
    void openAt(path, line);
  });
  panel.webview.html = panelPage(page, randomBytes(16).toString("base64url"));
}
