// Building elements. Text only ever becomes a text node, so nothing in the data can become markup.

type Child = Node | string | null | undefined | false;
type Attributes = Record<string, string | number | boolean | undefined | ((event: never) => void)>;

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Attributes = {},
  ...children: (Child | Child[])[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

export function svg(tag: string, attributes: Attributes = {}, ...children: (Child | Child[])[]): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  setAttributes(element, attributes);
  append(element, children);
  return element;
}

function setAttributes(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name, value as EventListener);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
}

function append(element: Element, children: (Child | Child[])[]): void {
  for (const child of children.flat()) {
    if (child || child === "") element.append(child);
  }
}

/** Where the site's folder is, seen from this page. */
export function root(): string {
  return document.body.dataset.root ?? "";
}

/** A place as text: the file alone where no line is known; "" for what is none, such as the garbage collector. */
export function placeText(file: string, line: number): string {
  if (line) return `${file}:${line}`;
  return file.startsWith("<") && !file.startsWith("<frozen ") ? "" : file;
}

/** A link to a place of a source page; plain text where the site has no page for it. */
export function sourceLink(page: string, line: number, text: string): HTMLElement {
  return page ? h("a", { href: `${root()}${page}#L${line}` }, text) : h("span", {}, text);
}

/** Say something to screen readers. */
export function announce(text: string): void {
  const element = document.getElementById("announcer");
  if (element) element.textContent = text;
}
