// The flame graph page: choosers, search, breadcrumb, the graph with its keys, the source beside it, the table.

import { openPage } from "../chrome";
import { coverageColor, differenceColor, moduleColor } from "../colors";
import { announce, h, placeText, root, sourceLink } from "../dom";
import { coveredText, percent, seconds, standardError } from "../format";
import { type FlamePayload, readPayload } from "../payload";
import { sortedTable } from "../table";
import { drawAxis, FlameCanvas, type Look, ROW, tickText, type View } from "./canvas";
import { buildTimeTree, costsWithin, hasTimeline, type TimeTree } from "./timeline";
import {
  buildTree,
  changeOf,
  chosenCosts,
  type Choice,
  CLOCKS,
  type Clock,
  functionTimes,
  type Joined,
  joinLines,
  matchedTime,
  isInOrder,
  timeByLine,
  type Tree,
} from "./tree";

type Coloring = "module" | "coverage" | "difference";
const ZOOM_MS = 180;
const MAX_HEIGHT = 640;
/** The page's bar stays at the top of the window. */
const BAR_HEIGHT = 60;
/** A match is zoomed to if it is narrower, in pixels. */
const MIN_SEEN = 4;
/** A longer list of options is made when it is first opened. */
const MAX_READY_OPTIONS = 200;
const CLOCK_NAMES: Record<Clock, string> = {
  cpu: "CPU time",
  wall: "wall time",
  gil: "time with the GIL",
  "gil-wait": "time waiting for the GIL",
  samples: "samples",
};

export function showFlame(): void {
  new FlamePage(readPayload<FlamePayload>());
}

class FlamePage {
  private joined: Joined;
  private ownOnly = false;
  /** A test that a link asks for, and that has no samples. */
  private missingTest = "";
  private readonly choice: Choice;
  private coloring: Coloring;
  private tree: Tree;
  /** The tree of sums of the same choice, callees first: the table is of it, and frames of a time line refer to it. */
  private sums: Tree;
  private timeTree: TimeTree | null = null;
  private view: View = { from: 0, to: 1 };
  private hovered = 0;
  private focused = 0;
  private zoomed = 0;
  private matches: Uint8Array | null = null;
  /** The frames that match, the widest first, and which of them was gone to last (-1: none). */
  private matching: number[] = [];
  private matchAt = -1;
  private animation = 0;
  private isDrawPending = false;
  private colors: string[] = [];
  private readonly canvas: FlameCanvas;
  private readonly scroller: HTMLElement;
  private readonly spacer = h("div", { class: "spacer" });
  private readonly tip = h("div", { class: "tip", role: "presentation", hidden: true });
  private readonly axis = h("canvas", { class: "axis", "aria-hidden": "true", hidden: true });
  private readonly crumbs = h("nav", { class: "crumbs", "aria-label": "Frames above the one zoomed to" });
  private readonly found = h("span", { class: "found", "aria-live": "polite" });
  private readonly search: HTMLInputElement;
  private readonly status = h("p", { class: "dim" });
  private readonly noise = h("p", { class: "dim noise", hidden: true });
  private readonly beside = h("aside", { class: "beside", "aria-label": "Source of the chosen frame", hidden: true });
  private readonly split: HTMLElement;
  private readonly selects = new Map<string, HTMLSelectElement>();
  /** What completes a list of options, by the name of its chooser. */
  private readonly unfinished = new Map<string, () => void>();
  private readonly tablePlace = h("section");

  constructor(private readonly payload: FlamePayload) {
    const main = openPage(payload.site, [
      { key: "f /", what: "search; Enter goes to the next match", action: () => this.search.focus() },
      { key: "n", what: "next match", action: () => this.goToMatch(1) },
      { key: "b", what: "previous match", action: () => this.goToMatch(-1) },
      { key: "Escape", what: "zoom out, then close the source", action: () => this.leave() },
      { key: "i", what: "callers or callees first", action: () => this.invert(!this.choice.isInverted) },
      {
        key: "t",
        what: "in the order of time, or summed up",
        action: () => this.showInTime(this.choice.order !== "time"),
      },
      { key: "c", what: "colour by module, coverage, difference", action: () => this.nextColoring() },
      { key: "m", what: "my code only, or all frames", action: () => this.showOwnOnly(!this.ownOnly) },
      { key: "0", what: "the whole graph", action: () => this.zoomTo(0) },
    ]);
    this.joined = joinLines(payload, false);
    this.choice = { clock: this.firstClock(), thread: -1, test: -1, isInverted: false, order: "heaviest" };
    this.coloring = payload.before.length ? "difference" : "module";
    this.tree = this.sums = buildTree(payload, this.joined, this.choice);
    this.search = h("input", {
      type: "search",
      placeholder: "Search functions and files (F)",
      "aria-label": "Search functions and files",
      input: () => this.searchFor(this.search.value),
      keydown: (event: KeyboardEvent) => {
        if (event.key === "Enter" && !event.isComposing) this.goToMatch(event.shiftKey ? -1 : 1);
      },
    });
    const element = h("canvas", {
      tabindex: "0",
      role: "application",
      "aria-label":
        "Flame graph. Arrow keys move between frames, Enter zooms, Escape zooms out. The table below has the same functions.",
    });
    this.canvas = new FlameCanvas(element);
    this.scroller = h("div", { class: "flame", scroll: () => this.draw() }, element, this.spacer);
    this.split = h(
      "div",
      { class: "split" },
      h("div", { class: "graph" }, this.crumbs, this.axis, this.scroller),
      this.beside,
    );
    main.append(
      h("h1", {}, "Flame graph"),
      this.controls(),
      this.status,
      this.noise,
      this.split,
      this.tip,
      this.legend(),
      this.tablePlace,
    );
    this.listen(element);
    this.rebuilt();
    this.followAddress();
  }

  /** A link can hold a search, a test, and which frames are shown: #q=TEXT&test=NAME&frames=own. */
  private followAddress(): void {
    const wanted = new URLSearchParams(location.hash.slice(1));
    const name = wanted.get("test");
    const test = this.payload.tests.indexOf(name || " ");
    // without a sample of the test, all is shown, and that is said
    if (name && test < 0) this.missingTest = name;
    if (wanted.get("frames") === "own" && !this.missingTest && hasLibraries(this.payload)) {
      this.ownOnly = true;
      this.joined = joinLines(this.payload, true);
    }
    if (test >= 0 || this.ownOnly || this.missingTest) this.change({ test });
    const text = wanted.get("q");
    if (text) {
      this.search.value = text;
      this.searchFor(text);
    }
  }

  /** CPU, unless no sample has it; of a profile that another tool wrote, what it has. */
  private firstClock(): Clock {
    const { clock, clocks, costs } = this.payload;
    if (clock) return clock;
    const usual = costs[4]?.some((each) => each > 0) ? "cpu" : "wall";
    return clocks.includes(usual) ? usual : clocks[0];
  }

  private controls(): HTMLElement {
    const { payload } = this;
    const choose = (name: string, options: [string, string][], value: string, then: (value: string) => void) => {
      const select = h("select", { change: () => then(select.value) });
      this.selects.set(name, select);
      const add = ([key, text]: [string, string]) =>
        select.append(h("option", { value: key, selected: key === value }, text));
      options.slice(0, MAX_READY_OPTIONS).forEach(add);
      if (options.length > MAX_READY_OPTIONS) {
        const complete = () => {
          options.slice(select.options.length).forEach(add);
          this.unfinished.delete(name);
        };
        this.unfinished.set(name, complete);
        for (const event of ["focus", "pointerdown"]) select.addEventListener(event, complete, { once: true });
      }
      return h("label", {}, h("span", {}, name), select);
    };
    const colorings: [string, string][] = [
      ["module", "module"],
      ["coverage", "coverage"],
    ];
    if (payload.before.length) colorings.push(["difference", "difference"]);
    const orders: [string, string][] = [
      ["heaviest", "heaviest left"],
      ["name", "by name"],
    ];
    if (hasTimeline(payload)) orders.push(["time", "time"]);
    return h(
      "div",
      { class: "controls" },
      this.search,
      this.found,
      choose(
        "Clock",
        CLOCKS.filter((each) => payload.clocks.includes(each)).map((each) => [each, CLOCK_NAMES[each]]),
        this.choice.clock,
        (value) => this.change({ clock: value as Clock }),
      ),
      choose(
        "View",
        [
          ["calls", "callees first"],
          ["inverted", "callers first"],
        ],
        "calls",
        (value) => this.invert(value === "inverted"),
      ),
      choose("Order", orders, "heaviest", (value) =>
        value === "time" ? this.showInTime(true) : this.change({ order: value as Choice["order"] }),
      ),
      payload.threads.length > 1 &&
        choose(
          "Thread",
          [["-1", "all"], ...payload.threads.map((name, i): [string, string] => [String(i), name])],
          "-1",
          (value) => this.change({ thread: Number(value) }),
        ),
      payload.tests.length > 1 &&
        choose(
          "Test",
          [
            ["-1", "all"],
            ...payload.tests.map((name, i): [string, string] => [String(i), name || "(outside of tests)"]),
          ],
          "-1",
          (value) => this.change({ test: Number(value) }),
        ),
      hasLibraries(payload) &&
        choose(
          "Frames",
          [
            ["all", "all"],
            ["own", "my code only"],
          ],
          "all",
          (value) => this.showOwnOnly(value === "own"),
        ),
      choose("Colour", colorings, this.coloring, (value) => {
        this.colorBy(value as Coloring);
      }),
    );
  }

  private legend(): HTMLElement {
    return h(
      "p",
      { class: "dim" },
      "Each bar is a function, as wide as the time spent in it and in what it calls. Click to zoom and to see its source; drag to move, Ctrl and wheel to zoom.",
    );
  }

  private showOwnOnly(ownOnly: boolean): void {
    this.ownOnly = ownOnly;
    this.joined = joinLines(this.payload, ownOnly);
    announce(ownOnly ? "My code only" : "All frames");
    this.change({});
  }

  /** Callers first are sums: there is no order in time then. */
  private invert(isInverted: boolean): void {
    this.change({ isInverted, order: this.choice.order === "time" ? "heaviest" : this.choice.order });
  }

  private showInTime(isInTime: boolean): void {
    if (isInTime && !hasTimeline(this.payload)) {
      announce("The order in time is not in this profile");
      return;
    }
    announce(isInTime ? "In the order of time" : "Heaviest left");
    this.change(isInTime ? { order: "time", isInverted: false } : { order: "heaviest" });
  }

  private change(change: Partial<Choice>): void {
    Object.assign(this.choice, change);
    this.showChoice();
    const { payload, joined, choice } = this;
    this.sums = buildTree(payload, joined, {
      ...choice,
      isInverted: false,
      order: choice.order === "name" ? "name" : "heaviest",
    });
    this.timeTree = choice.order === "time" ? buildTimeTree(payload, joined, choice, this.sums) : null;
    this.tree = this.timeTree ?? (choice.isInverted ? buildTree(payload, joined, choice) : this.sums);
    this.rebuilt();
  }

  /** The choosers follow the keys. */
  private showChoice(): void {
    const values: Record<string, string> = {
      Order: this.choice.order,
      Test: String(this.choice.test),
      View: this.choice.isInverted ? "inverted" : "calls",
      Frames: this.ownOnly ? "own" : "all",
      Colour: this.coloring,
    };
    for (const [name, value] of Object.entries(values)) {
      const select = this.selects.get(name);
      if (!select) continue;
      select.value = value;
      if (select.selectedIndex >= 0) continue;
      this.unfinished.get(name)?.();
      select.value = value;
    }
  }

  private rebuilt(): void {
    cancelAnimationFrame(this.animation);
    this.view = { from: 0, to: this.tree.width[0] || 1 };
    this.zoomed = this.focused = this.hovered = 0;
    this.scroller.scrollTop = 0;
    this.axis.hidden = this.timeTree === null;
    this.fit();
    this.showCrumbs();
    this.showStatus();
    this.showTable();
    if (this.matches) this.findMatching();
  }

  private fit(): void {
    const height = Math.max(6 * ROW, Math.min(MAX_HEIGHT, this.tree.maxDepth * ROW + 2));
    this.canvas.resize(this.scroller.clientWidth || 900, height);
    this.scroller.style.height = `${height}px`;
    this.spacer.style.height = `${Math.max(0, this.tree.maxDepth * ROW + 2 - height)}px`;
    this.draw();
  }

  private showStatus(): void {
    const { payload, tree } = this;
    const parts = [
      ...(this.missingTest && this.choice.test < 0
        ? [`No sample is of ${this.missingTest}: this is the whole run`]
        : []),
      tree.sum
        ? this.amount(tree.sum) +
          (tree.samples ? ` in ${tree.samples.toLocaleString("en")} ${tree.samples === 1 ? "sample" : "samples"}` : "")
        : "No samples match this choice",
      `${payload.dropped} dropped`,
      `${payload.processes} ${payload.processes === 1 ? "process" : "processes"}`,
    ];
    if (this.ownOnly && tree.sum) parts.push(`${percent(this.sums.total[0] / tree.sum)} in my code and what it calls`);
    if (this.timeTree) {
      parts.push(`${seconds(this.timeTree.width[0])} from left to right`);
      if (payload.timeline.stepUs) parts.push(`a stack for each ${seconds(payload.timeline.stepUs)}`);
      if (this.timeTree.isCut) {
        parts.push("the busiest threads and outer frames only: choose a thread or a test for more");
      }
    }
    if (payload.before.length) parts.push(`compared with ${this.amount(tree.sumBefore)} before`);
    this.status.textContent = parts.join(" · ");
    this.noise.hidden = !payload.before.length;
    if (payload.before.length) this.noise.textContent = noiseText(tree);
  }

  private showTable(): void {
    const { payload, tree } = this;
    const all = tree.sum || 1;
    const rows = functionTimes(this.sums, payload.functions.length);
    // those beyond the greatest are left out: of a comparison, what changed least, not what is gone now
    if (payload.before.length) {
      const rank = (row: (typeof rows)[0]) => this.rankOfChange(row.total, row.before);
      rows.sort((a, b) => rank(b) - rank(a));
    } else rows.sort((a, b) => b.self - a.self);
    const name = (func: number) => payload.functions[func][1];
    const place = (func: number) => placeText(payload.files[payload.functions[func][0]][0], payload.functions[func][2]);
    const table = sortedTable(
      "Functions by time",
      [
        {
          title: "Function",
          value: (row) => name(row.func),
          isText: true,
          cell: (row) => h("button", { class: "link", click: () => this.open(row.func, -1) }, name(row.func)),
        },
        { title: "Own", value: (row) => row.self, cell: (row) => this.amount(row.self) },
        { title: "Own share", value: (row) => row.self, cell: (row) => this.shareText(row.self / all) },
        { title: "Total", value: (row) => row.total, cell: (row) => this.amount(row.total) },
        { title: "Total share", value: (row) => row.total, cell: (row) => percent(row.total / all) },
        ...(payload.before.length
          ? [
              {
                title: "Change",
                hint: "of its total, the greatest first; in brackets what may be chance",
                value: (row: (typeof rows)[0]) => this.rankOfChange(row.total, row.before),
                cell: (row: (typeof rows)[0]) => this.changeText(row.total, row.before),
              },
            ]
          : []),
        ...(payload.functions.some(([, , , part]) => part !== null)
          ? [
              {
                title: "Covered",
                value: (row: (typeof rows)[0]) => payload.functions[row.func][3] ?? -1,
                cell: (row: (typeof rows)[0]) => {
                  const part = payload.functions[row.func][3];
                  return part === null ? "" : coveredText(part, 0);
                },
              },
            ]
          : []),
        {
          title: "Place",
          value: (row) => place(row.func),
          isText: true,
          cell: (row) => {
            const [file, , line] = payload.functions[row.func];
            return sourceLink(payload.files[file][1], line, place(row.func));
          },
        },
      ],
      rows.slice(0, 500),
      payload.before.length ? 5 : 1,
      false,
    );
    this.tablePlace.replaceChildren(h("h2", {}, "Functions"), table.element);
  }

  private shareText(share: number): string {
    if (!this.tree.samples) return percent(share);
    return `${percent(share)} ± ${(100 * standardError(share, this.tree.samples)).toFixed(1)}`;
  }

  /** Changes that are more than chance come before all others. */
  private rankOfChange(after: number, before: number): number {
    const { time, isSure } = changeOf(this.tree, after, before);
    return isSure ? Math.abs(time) : Math.abs(time) / 1e9;
  }

  private changeText(after: number, before: number): string {
    const { time, isSure } = changeOf(this.tree, after, before);
    const text = `${time >= 0 ? "+" : "−"}${this.amount(Math.abs(time))}`;
    return isSure ? text : `(${text})`;
  }

  private amount(value: number): string {
    return this.choice.clock === "samples" ? value.toLocaleString("en") : seconds(value);
  }

  // Drawing

  private draw(): void {
    if (this.isDrawPending) return;
    this.isDrawPending = true;
    requestAnimationFrame(() => {
      this.isDrawPending = false;
      const began = performance.now();
      if (this.timeTree) drawAxis(this.axis, this.scroller.clientWidth || 900, this.view, this.timeTree.begins);
      const drawn = this.canvas.draw(this.tree, this.view, this.scroller.scrollTop, this.look());
      this.canvas.element.dataset.drawn = String(drawn);
      this.canvas.element.dataset.drawMs = (performance.now() - began).toFixed(2);
    });
  }

  private look(): Look {
    const { payload, tree, matches, sums } = this;
    const name = (node: number) => payload.functions[tree.func[node]];
    const isWaiting = tree.order === "time" && isInOrder(this.choice.clock);
    const found = (node: number): string => {
      const text = tree.texts.get(node);
      if (text !== undefined) return moduleColor(text, false);
      const [file, , , covered] = name(node);
      if (this.coloring === "coverage") return coverageColor(covered);
      if (this.coloring === "difference") {
        const [of, at] = tree.joined ? [sums, tree.joined[node]] : [tree, node];
        const { time, isSure } = changeOf(of, of.total[at], of.totalBefore[at]);
        return differenceColor(isSure ? time / (of.sumBefore || of.sum || 1) : 0);
      }
      return moduleColor(payload.files[file][0], payload.files[file][2] === 1);
    };
    // what is coloured by its function or file has few colours and many frames
    const color = (node: number): string => {
      const func = tree.func[node];
      if (func < 0 || this.coloring === "difference") return found(node);
      this.colors[func] ??= found(node);
      return this.colors[func];
    };
    return {
      color,
      label: (node) => this.nameOf(node),
      isMatch: (node) => matches !== null && matches[tree.func[node]] === 1,
      isDimmed: (node) =>
        matches !== null
          ? matches[tree.func[node]] === 0
          : isWaiting && tree.func[node] >= 0 && tree.total[node] < 0.1 * tree.width[node],
      hovered: this.hovered,
      focused: this.isMarked() ? this.focused : 0,
    };
  }

  /** Whether the focused frame is outlined: where the keys act on it, or a match was gone to. */
  private isMarked(): boolean {
    return (
      document.activeElement === this.canvas.element ||
      (this.matchAt >= 0 && this.focused === this.matching[this.matchAt])
    );
  }

  private nameOf(node: number): string {
    return this.tree.texts.get(node) ?? this.payload.functions[this.tree.func[node]][1];
  }

  // Moving

  private zoomTo(node: number): void {
    this.zoomed = node;
    const { tree } = this;
    const goal = { from: tree.start[node], to: tree.start[node] + (tree.width[node] || 1) };
    const begin = { ...this.view };
    const began = performance.now();
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const step = (now: number) => {
      const part = isStill ? 1 : Math.min(1, (now - began) / ZOOM_MS);
      const eased = 1 - (1 - part) ** 3;
      this.view = { from: begin.from + (goal.from - begin.from) * eased, to: begin.to + (goal.to - begin.to) * eased };
      this.draw();
      if (part < 1) this.animation = requestAnimationFrame(step);
    };
    cancelAnimationFrame(this.animation);
    step(began + (isStill ? ZOOM_MS : 0));
    this.animation = requestAnimationFrame(step);
    this.showCrumbs();
  }

  private showCrumbs(): void {
    const { tree } = this;
    const nodes: number[] = [];
    for (let node = this.zoomed; node > 0; node = tree.parent[node]) nodes.unshift(node);
    const item = (node: number, text: string) =>
      h(
        "button",
        { class: "crumb", "aria-current": node === this.zoomed ? "true" : undefined, click: () => this.zoomTo(node) },
        text,
      );
    this.crumbs.replaceChildren(item(0, "all"), ...nodes.slice(-12).map((node) => item(node, this.nameOf(node))));
  }

  private leave(): void {
    if (this.zoomed) this.zoomTo(0);
    else if (this.view.from > 0 || this.view.to < this.tree.width[0]) this.zoomTo(0);
    else if (!this.beside.hidden) this.closeSource();
    else if (this.search.value) {
      this.search.value = "";
      this.searchFor("");
    }
  }

  private nextColoring(): void {
    const all: Coloring[] = this.payload.before.length ? ["module", "coverage", "difference"] : ["module", "coverage"];
    this.colorBy(all[(all.indexOf(this.coloring) + 1) % all.length]);
    this.showChoice();
    announce(`Coloured by ${this.coloring}`);
  }

  private colorBy(coloring: Coloring): void {
    this.coloring = coloring;
    this.colors = [];
    this.draw();
  }

  private listen(element: HTMLCanvasElement): void {
    let drag: { x: number; view: View; moved: boolean } | null = null;
    const nodeAt = (event: MouseEvent): number => {
      const box = element.getBoundingClientRect();
      return this.canvas.find(
        this.tree,
        this.view,
        this.scroller.scrollTop,
        event.clientX - box.left,
        event.clientY - box.top,
      );
    };
    element.addEventListener("pointerdown", (event) => {
      drag = { x: event.clientX, view: { ...this.view }, moved: false };
      element.setPointerCapture(event.pointerId);
    });
    element.addEventListener("pointermove", (event) => {
      if (drag && Math.abs(event.clientX - drag.x) > 3) {
        drag.moved = true;
        this.pan(drag.view, ((drag.x - event.clientX) / element.clientWidth) * (drag.view.to - drag.view.from));
        return;
      }
      this.hover(nodeAt(event), event);
    });
    element.addEventListener("pointerup", (event) => {
      const wasMoved = drag?.moved;
      drag = null;
      if (wasMoved) return;
      const node = nodeAt(event);
      this.focused = node;
      if (node) this.choose(node);
    });
    element.addEventListener("pointerleave", () => this.hover(0));
    element.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && Math.abs(event.deltaY) >= Math.abs(event.deltaX)) return; // the page or the graph scrolls
        event.preventDefault();
        const width = this.view.to - this.view.from;
        if (!event.ctrlKey) {
          this.pan(this.view, (event.deltaX / element.clientWidth) * width);
          return;
        }
        const box = element.getBoundingClientRect();
        const at = this.view.from + ((event.clientX - box.left) / box.width) * width;
        const factor = Math.exp(event.deltaY * 0.002);
        const all = this.tree.width[0] || 1;
        const next = Math.min(all, Math.max(all / 1e6, width * factor));
        const from = Math.max(0, Math.min(all - next, at - ((at - this.view.from) / width) * next));
        this.view = { from, to: from + next };
        this.draw();
      },
      { passive: false },
    );
    element.addEventListener("keydown", (event) => this.onKey(event));
    element.addEventListener("focus", () => {
      if (!this.focused && this.tree.children.length) this.focused = this.tree.children[0];
      this.draw();
    });
    element.addEventListener("blur", () => this.draw());
    new ResizeObserver(() => this.fit()).observe(this.scroller);
    addEventListener("themechange", () => this.draw());
  }

  private pan(view: View, by: number): void {
    const all = this.tree.width[0] || 1;
    const width = view.to - view.from;
    const from = Math.max(0, Math.min(all - width, view.from + by));
    this.view = { from, to: from + width };
    this.draw();
  }

  private hover(node: number, event?: MouseEvent): void {
    if (node !== this.hovered) {
      this.hovered = node;
      this.draw();
    }
    this.tip.hidden = !node;
    if (!node || !event) return;
    this.tip.replaceChildren(
      ...this.describe(node)
        .filter((text) => text)
        .map((text, i) => h(i ? "div" : "strong", {}, text)),
    );
    const left = Math.min(event.clientX + 14, innerWidth - this.tip.offsetWidth - 8);
    const isLow = event.clientY + 20 + this.tip.offsetHeight > innerHeight;
    this.tip.style.left = `${Math.max(4, left)}px`;
    this.tip.style.top = `${isLow ? event.clientY - this.tip.offsetHeight - 12 : event.clientY + 18}px`;
  }

  private describe(node: number): string[] {
    const { payload, tree, timeTree } = this;
    const when =
      timeTree &&
      `from ${tickText(timeTree.begins + tree.start[node], tree.width[node] / 10 || 1)} for ${seconds(tree.width[node])}`;
    const spent = when && isInOrder(this.choice.clock);
    if (tree.texts.has(node)) {
      return [
        this.nameOf(node),
        when ?? "",
        spent ? `${this.amount(tree.total[node])} ${CLOCK_NAMES[this.choice.clock]}` : "",
      ];
    }
    const [file, name, line, covered] = payload.functions[tree.func[node]];
    const all = tree.sum || 1;
    const found = [name];
    if (line) found.push(placeText(payload.files[file][0], line));
    if (when) {
      found.push(spent ? `${when}, ${seconds(Math.round(tree.total[node]))} ${CLOCK_NAMES[this.choice.clock]}` : when);
    } else {
      found.push(`${this.amount(tree.total[node])} (${this.shareText(tree.total[node] / all)})`);
      found.push(`own ${this.amount(tree.self[node])} (${percent(tree.self[node] / all)})`);
    }
    if (covered !== null) found.push(covered === 0 ? "not tested" : `${coveredText(covered, 0)} of it tested`);
    if (payload.before.length && !when) {
      found.push(
        `${this.changeText(tree.total[node], tree.totalBefore[node])} against ${this.amount(tree.totalBefore[node])} before`,
      );
    }
    return found;
  }

  private onKey(event: KeyboardEvent): void {
    const { tree } = this;
    const node = this.focused;
    const siblings = tree.children.subarray(
      tree.first[tree.parent[node] ?? 0],
      tree.first[(tree.parent[node] ?? 0) + 1],
    );
    const at = siblings.indexOf(node);
    const firstChild = tree.first[node] < tree.first[node + 1] ? tree.children[tree.first[node]] : 0;
    const moves: Record<string, number> = {
      ArrowDown: firstChild,
      ArrowUp: node > 0 ? tree.parent[node] : 0,
      ArrowLeft: at > 0 ? siblings[at - 1] : 0,
      ArrowRight: at >= 0 && at + 1 < siblings.length ? siblings[at + 1] : 0,
    };
    if (event.key in moves) {
      event.preventDefault();
      const next = moves[event.key];
      if (next > 0 && tree.width[next] > 0) this.focus(next);
    } else if (event.key === "Enter" && node > 0) {
      event.preventDefault();
      this.choose(node);
    }
  }

  private focus(node: number): void {
    this.focused = node;
    this.reveal(node);
    const begins = this.tree.start[node];
    if (begins + this.tree.width[node] <= this.view.from || begins >= this.view.to) this.zoomTo(this.tree.parent[node]);
    this.tell(node);
    this.draw();
  }

  private tell(node: number): void {
    announce(
      this.describe(node)
        .filter((text) => text)
        .join(", "),
    );
  }

  private choose(node: number): void {
    this.zoomTo(node);
    if (this.tree.func[node] >= 0) this.open(this.tree.func[node], this.choice.isInverted ? -1 : node);
  }

  // The source beside the graph

  private open(func: number, node: number): void {
    const { payload } = this;
    const [file, name, line] = payload.functions[func];
    const [shown, page] = payload.files[file];
    const { timeTree } = this;
    const isPart = timeTree !== null && node > 0;
    const costs = isPart ? costsWithin(payload, timeTree, this.choice, node) : chosenCosts(payload, this.choice);
    const byLine = timeByLine(payload, this.joined, costs, func, isPart ? (timeTree.joined as Int32Array)[node] : node);
    const all = (isPart ? timeTree.total[node] : this.tree.sum) || 1;
    const shares: Record<number, number> = {};
    for (const [at, value] of byLine) shares[at] = value / all;
    const head = h(
      "div",
      { class: "beside-head" },
      h("strong", {}, name),
      sourceLink(page, line, placeText(shown, line)),
      h("button", { class: "icon", "aria-label": "Close the source", click: () => this.closeSource() }, "×"),
    );
    const rows = [...byLine].sort((a, b) => b[1] - a[1]).slice(0, 12);
    const list = h(
      "table",
      { class: "lines" },
      h(
        "caption",
        {},
        isPart ? "Time by line of this frame, share of its own" : "Time by line of this function, share of all",
      ),
      h(
        "tbody",
        {},
        rows.map(([at, value]) =>
          h(
            "tr",
            {},
            h("td", { class: "number" }, percent(value / all)),
            h("td", {}, sourceLink(page, at, `line ${at}`)),
          ),
        ),
      ),
    );
    this.beside.replaceChildren(head, list);
    if (page) {
      const hottest = rows.length ? rows[0][0] : line;
      const frame = h("iframe", { title: `Source of ${name}`, src: `${root()}${page}?beside#L${hottest}` });
      frame.addEventListener("load", () => frame.contentWindow?.postMessage({ footfall: "lines", shares }, "*"));
      this.beside.append(frame);
    }
    this.beside.hidden = false;
    this.split.classList.add("open");
  }

  private closeSource(): void {
    this.beside.hidden = true;
    this.split.classList.remove("open");
  }

  // Search

  private searchFor(text: string): void {
    const { payload } = this;
    if (!text) {
      this.matches = null;
      this.matching = [];
      this.matchAt = -1;
      this.found.textContent = "";
      this.draw();
      return;
    }
    const isMatch = matcher(text);
    this.matches = Uint8Array.from(payload.functions, ([file, name]) =>
      isMatch(name) || isMatch(payload.files[file][0]) ? 1 : 0,
    );
    this.findMatching();
    if (this.matching.length) this.reveal(this.matching[0], this.search.getBoundingClientRect().top - BAR_HEIGHT);
    this.draw();
  }

  /** Frames of the shown tree that match, the widest first. */
  private findMatching(): void {
    const { tree, matches } = this;
    this.matching = [];
    this.matchAt = -1;
    for (let node = 1; node < tree.func.length; node++) {
      if (matches?.[tree.func[node]] && tree.width[node] > 0) this.matching.push(node);
    }
    this.matching.sort((a, b) => tree.width[b] - tree.width[a] || a - b);
    this.showFound();
  }

  /** Go to the next match, or with -1 the previous one, in turn. */
  private goToMatch(step: 1 | -1): void {
    const n = this.matching.length;
    if (n === 0) {
      announce(this.search.value ? "Nothing matches" : "There is no search");
      return;
    }
    this.matchAt = this.matchAt < 0 ? (step > 0 ? 0 : n - 1) : (this.matchAt + step + n) % n;
    const node = this.matching[this.matchAt];
    this.focused = node;
    this.zoomToSee(node);
    this.reveal(node);
    this.showFound();
    this.tell(node);
    this.draw();
  }

  /** Zoom, if a frame is out of view or too narrow to be seen, to the outermost frame that shows it. */
  private zoomToSee(node: number): void {
    const { tree, view } = this;
    const pixels = this.scroller.clientWidth || 900;
    const begins = tree.start[node];
    const isInView = begins + tree.width[node] > view.from && begins < view.to;
    if (isInView && tree.width[node] * pixels >= MIN_SEEN * (view.to - view.from)) return;
    let around = tree.parent[node];
    while (around > 0 && tree.width[node] * pixels >= MIN_SEEN * tree.width[tree.parent[around]]) {
      around = tree.parent[around];
    }
    this.zoomTo(around);
  }

  /** Scroll to a frame: the graph in itself, then the window, which may be lower, down by `most` pixels at most. */
  private reveal(node: number, most = Infinity): void {
    const y = (this.tree.depth[node] - 1) * ROW;
    const { scroller } = this;
    if (y < scroller.scrollTop || y + ROW > scroller.scrollTop + scroller.clientHeight) {
      scroller.scrollTop = y - scroller.clientHeight / 2;
    }
    const top = scroller.getBoundingClientRect().top + y - scroller.scrollTop;
    const below = top + 2 * ROW - innerHeight;
    if (below > 0) scrollBy(0, Math.max(0, Math.min(below, most)));
    else if (top < BAR_HEIGHT) scrollBy(0, top - BAR_HEIGHT);
  }

  private showFound(): void {
    const matches = this.matches as Uint8Array;
    const n = matches.reduce((sum, each) => sum + each, 0);
    const share = matchedTime(this.tree, matches) / (this.tree.sum || 1);
    const at = this.matchAt >= 0 ? `, match ${this.matchAt + 1} of ${this.matching.length}` : "";
    this.found.textContent = `${n} ${n === 1 ? "function" : "functions"}, ${this.shareText(share)} of all${at}`;
  }
}

/** What counts as noise in a comparison. */
function noiseText({ chance, samples, samplesBefore }: Tree): string {
  if (!samples || !samplesBefore) {
    return "How many samples these times are of is not known, so nothing tells a change from noise: no frame is coloured.";
  }
  const { errors, factor, variance, information } = chance;
  const start = `Pale or in brackets: a difference that may be noise. Noise is ${errors.toFixed(1)} standard errors of sampling and of the machine`;
  if (!information) {
    const most = Math.exp(errors * Math.sqrt(variance)).toFixed(1);
    return `${start}: with too few functions to tell what the machine changes, that is up to ${most} times as much or as little.`;
  }
  const all = `${factor < 1 ? "−" : "+"}${percent(Math.abs(factor - 1))}`;
  return `${start}, which made all functions differ by ${all}, and each by ±${percent(Math.sqrt(variance))}.`;
}

/** Whether there is something to tell apart from the project's own frames. */
function hasLibraries(payload: FlamePayload): boolean {
  const own = payload.files.reduce((sum, file) => sum + file[2], 0);
  return own > 0 && own < payload.files.length;
}

/** A regular expression where the text is one, else the text itself, in any case. */
function matcher(text: string): (name: string) => boolean {
  try {
    const expression = new RegExp(text, "i");
    return (name) => expression.test(name);
  } catch {
    const wanted = text.toLowerCase();
    return (name) => name.toLowerCase().includes(wanted);
  }
}
