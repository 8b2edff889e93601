// What all pages have: the bar with links, the switch for dark and light, keys, the help.

import { h, root } from "./dom";
import type { Site } from "./payload";

type Theme = "light" | "dark";
const STORED = "footfall-theme";

function storedTheme(): Theme | null {
  try {
    const value = localStorage.getItem(STORED);
    return value === "light" || value === "dark" ? value : null;
  } catch {
    return null; // pages opened from disk may have no storage
  }
}

export function isDark(): boolean {
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
}

function setTheme(theme: Theme): void {
  document.documentElement.dataset.theme = theme;
  try {
    localStorage.setItem(STORED, theme);
  } catch {
    // then it is for this page only
  }
  dispatchEvent(new Event("themechange"));
}

const LINKS: [string, string, string, (site: Site) => boolean][] = [
  ["overview", "index.html", "Overview", (site) => !site.isAlone],
  ["flame", "flame.html", "Flame graph", (site) => site.hasProfile],
  ["tests", "tests.html", "Tests", (site) => site.hasTests],
];

export interface Key {
  key: string;
  what: string;
  action: () => void;
}

/** Draw the page's frame and return the element for its content. */
export function openPage(site: Site, keys: Key[]): HTMLElement {
  const theme = storedTheme();
  if (theme) document.documentElement.dataset.theme = theme;
  const page = document.body.dataset.page;
  const help = helpDialog(keys);
  const main = h("main", { id: "main", tabindex: "-1" });
  const bar = h(
    "header",
    { class: "bar" },
    h("a", { class: "skip", href: "#main" }, "Skip to content"),
    site.isAlone
      ? h("span", { class: "brand" }, "footfall")
      : h("a", { class: "brand", href: `${root()}index.html` }, "footfall"),
    h("span", { class: "title" }, site.title === "footfall report" ? "" : site.title),
    h(
      "nav",
      { "aria-label": "Pages" },
      LINKS.filter((link) => link[3](site)).map(([name, href, text]) =>
        h("a", { href: root() + href, "aria-current": name === page ? "page" : undefined }, text),
      ),
    ),
    h(
      "button",
      { class: "icon", "aria-label": "Keys and help", title: "Keys (?)", click: () => help.showModal() },
      "?",
    ),
    h(
      "button",
      {
        class: "icon",
        "aria-label": "Dark or light",
        title: "Dark or light",
        click: () => setTheme(isDark() ? "light" : "dark"),
      },
      "◐",
    ),
  );
  const app = document.getElementById("app") as HTMLElement;
  app.append(
    bar,
    main,
    h("footer", {}, ["Made by footfall " + site.version, ...(site.created ? [site.created] : [])].join(", ")),
    h("div", { id: "announcer", class: "quiet", "aria-live": "polite" }),
    help,
  );
  listen([...keys, { key: "?", what: "", action: () => help.showModal() }]);
  return main;
}

function helpDialog(keys: Key[]): HTMLDialogElement {
  const rows = [...keys, { key: "?", what: "this help", action: () => undefined }];
  const dialog = h(
    "dialog",
    { "aria-label": "Keys" },
    h("h2", {}, "Keys"),
    h(
      "table",
      {},
      h(
        "tbody",
        {},
        rows.map((each) => h("tr", {}, h("td", {}, h("kbd", {}, each.key)), h("td", {}, each.what))),
      ),
    ),
    h("form", { method: "dialog" }, h("button", {}, "Close")),
  );
  return dialog;
}

function listen(keys: Key[]): void {
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const target = event.target as HTMLElement;
    if (target.matches("input, select, textarea") || document.querySelector("dialog[open]")) return;
    const found = keys.find((each) =>
      each.key.split(" ").some((name) => name.toLowerCase() === event.key.toLowerCase()),
    );
    if (found) {
      event.preventDefault();
      found.action();
    }
  });
}
