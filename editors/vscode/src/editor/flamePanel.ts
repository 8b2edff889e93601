// The flame graph beside the editor: the viewer of the project's own footfall.
import { randomBytes } from "node:crypto";
import { basename } from "node:path";
import * as vscode from "vscode";

import { panelPage, placeOfMessage, type Shown } from "../flamePage";
import { describe, inFolder, openAt, openMeasured, type FlameOf, type Project } from "./project";

const VIEW_TYPE = "footfall.flame";

/** Where the next graph is shown: with one that is open, else beside the editor. */
function column(): vscode.ViewColumn {
  const ofGraph = (tab: vscode.Tab) =>
    tab.input instanceof vscode.TabInputWebview && tab.input.viewType.endsWith(VIEW_TYPE);
  return vscode.window.tabGroups.all.find(({ tabs }) => tabs.some(ofGraph))?.viewColumn ?? vscode.ViewColumn.Beside;
}

/** Open it in a panel with this name, or with that of the file and the profile. */
export async function openFlame(project: Project, of: FlameOf = {}, name?: string, shown?: Shown): Promise<void> {
  const options = { enableScripts: true, localResourceRoots: [], retainContextWhenHidden: true };
  // the editor makes the panel while the service makes the graph
  const panel = vscode.window.createWebviewPanel(VIEW_TYPE, "footfall", column(), options);
  let isClosed = false;
  panel.onDidDispose(() => (isClosed = true));
  panel.webview.onDidReceiveMessage(async (message: unknown) => {
    const place = placeOfMessage(message);
    if (place === undefined) return;
    try {
      // of another profile it is not known which text its lines are of
      if (of.profile === undefined) await openMeasured(project, place.path, place.line);
      else await openAt(place.path, place.line);
    } catch (error) {
      // a profile of another machine has files that are not here
      void vscode.window.showErrorMessage(`footfall: ${describe(error)}`);
    }
  });
  try {
    const { title, page } = await project.flame(of);
    if (isClosed) return;
    panel.title = `footfall: ${name ?? (of.path === undefined ? title : `${basename(of.path)} in ${title}`)}${inFolder(project)}`;
    panel.webview.html = panelPage(page, randomBytes(16).toString("base64url"), shown);
  } catch (error) {
    panel.dispose();
    throw error;
  }
}
