// The viewer's page, fit for a panel: what it may load, and what tells the extension of a click.

const BRIDGE = `
const host = acquireVsCodeApi();
const open = (link) => host.postMessage({ open: link });
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href]")?.getAttribute("href") ?? "";
  if (link.startsWith("/")) { event.preventDefault(); open(link); }
}, true);
// The editor's theme is the viewer's; the editor writes which it is on the body, now or later.
const follow = () => {
  const kind = document.body?.dataset.vscodeThemeKind;
  const theme = kind && (kind.includes("light") ? "light" : "dark");
  if (!theme || document.documentElement.dataset.theme === theme) return;
  document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event("themechange"));
};
// The viewer shows a source beside the graph. In the editor, the editor does.
new MutationObserver((changes) => {
  follow();
  for (const { addedNodes } of changes) {
    for (const node of addedNodes) if (node.nodeName === "IFRAME") { open(node.getAttribute("src")); node.remove(); }
  }
}).observe(document.documentElement, { childList: true, subtree: true, attributeFilter: ["data-vscode-theme-kind"] });
document.addEventListener("DOMContentLoaded", follow);
`;

/** What the viewer shows first: one test, only the frames of the project's own code. */
export interface Shown {
  test?: string;
  frames?: "own";
}

/** Return the page of `profile/flame` with a policy: only its own scripts run, and nothing is loaded. */
export function panelPage(page: string, nonce: string, shown: Shown = {}): string {
  // the viewer reads it from the address, as of a link to it; nothing in it is left that could end the script
  const hash = JSON.stringify(String(new URLSearchParams({ ...shown }))).replaceAll("<", "\\u003c");
  const bridge = `location.hash = ${hash};${BRIDGE}`;
  const policy = `default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'nonce-${nonce}'; base-uri 'none'; form-action 'none'`;
  // the payload has no "<", so that the first <script> is the viewer's
  return page
    .replace("<head>", () => `<head>\n<meta http-equiv="Content-Security-Policy" content="${policy}">`)
    .replace("<script>", () => `<script nonce="${nonce}">${bridge}</script>\n<script nonce="${nonce}">`);
}

/** Return where a click in the panel leads, of a link such as "/path/file.py?beside#L12"; undefined for anything else. */
export function placeOfMessage(message: unknown): { path: string; line: number } | undefined {
  const { open } = (message ?? {}) as { open?: unknown };
  if (typeof open !== "string") return undefined;
  const [, path, line] = /^(\/(?!\/).*?)(?:\?beside)?(?:#L(\d{1,9}))?$/s.exec(open) ?? [];
  return path === undefined ? undefined : { path, line: Number(line ?? 1) };
}
