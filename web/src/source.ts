// A file's source, line by line: what ran, where branches went, conditions, time, tests.

import { openPage } from "./chrome";
import { announce, h, root } from "./dom";
import { count, covered, coveredText, percent, seconds } from "./format";
import { highlightLines, type Piece } from "./highlight";
import { readPayload, type SourcePayload } from "./payload";

const STATE_NAMES: Record<string, string> = { r: "ran", m: "missing", p: "partly", x: "excluded" };
const STATE_MARKS: Record<string, string> = { r: "", m: "!", p: "~", x: "–" };
const CLOCKS = ["CPU time", "wall time", "GIL time", "time waiting for the GIL"];
const BLOCK_LINES = 50;

export function showSource(): void {
  new SourcePage(readPayload<SourcePayload>());
}

class SourcePage {
  private readonly rows: HTMLElement[] = [];
  private clock = 0;
  private current = 0;
  private readonly heatCells = new Map<number, HTMLElement>();
  private readonly inferred: Set<number>;

  constructor(private readonly payload: SourcePayload) {
    this.inferred = new Set(payload.inferred);
    const isBeside = window.parent !== window;
    if (isBeside) document.body.classList.add("in-frame");
    const main = openPage(payload.site, [
      { key: "n", what: "next missing or partial line", action: () => this.goMissing(1) },
      { key: "b", what: "the one before", action: () => this.goMissing(-1) },
      { key: "h", what: "next hottest line", action: () => this.goHot(1) },
      { key: "g", what: "the hotter one before", action: () => this.goHot(-1) },
    ]);
    if (!payload.sampledUs[0]) this.clock = 1;
    main.append(
      h("h1", { class: "path" }, payload.name),
      this.head(),
      h(
        "div",
        { class: "source", role: "table", "aria-label": `Source of ${payload.name}` },
        this.columnHeads(),
        this.lines(),
      ),
    );
    this.showHeat();
    this.toHash();
    addEventListener("hashchange", () => this.toHash());
    addEventListener("message", (event) => this.onMessage(event));
  }

  private head(): HTMLElement {
    const { numbers, site } = this.payload;
    const parts = [
      `${coveredText(covered(numbers), Math.max(1, site.precision))} covered`,
      `${count(numbers.statements, "statement")}, ${numbers.missing} missing, ${numbers.excluded} excluded`,
    ];
    if (site.hasBranches) {
      parts.push(`${count(numbers.branches, "branch", "branches")}, ${numbers.partial} missing on lines that ran`);
    }
    const select = h(
      "select",
      { "aria-label": "Clock" },
      CLOCKS.slice(0, site.hasCpuTimeAlone ? 1 : this.payload.sampledUs.length).map((name, i) =>
        h("option", { value: String(i), selected: i === this.clock }, name),
      ),
    );
    select.addEventListener("change", () => {
      this.clock = Number(select.value);
      this.showHeat();
    });
    const functions = h(
      "select",
      { "aria-label": "Go to a function" },
      h("option", { value: "" }, "go to…"),
      this.payload.functions.map(([name, first]) => h("option", { value: String(first) }, name)),
    );
    functions.addEventListener("change", () => {
      if (functions.value) this.go(Number(functions.value));
      functions.value = "";
    });
    return h(
      "div",
      { class: "controls" },
      h("span", {}, parts.join(" · ")),
      site.hasProfile && select,
      this.payload.functions.length > 0 && functions,
      h("button", { click: () => this.goMissing(1) }, "Next missing (n)"),
      site.hasProfile && h("button", { click: () => this.goHot(1) }, "Next hot (h)"),
    );
  }

  private lines(): HTMLElement[] {
    const { payload } = this;
    const highlighted = highlightLines(payload.text);
    if (highlighted.length > 1 && highlighted[highlighted.length - 1].length === 0) highlighted.pop();
    highlighted.forEach((pieces, i) => this.rows.push(this.line(i + 1, pieces)));
    // Blocks out of sight are not laid out (style.css), which is most of what a long page would cost to open.
    const blocks: HTMLElement[] = [];
    for (let first = 0; first < this.rows.length; first += BLOCK_LINES) {
      const rows = this.rows.slice(first, first + BLOCK_LINES);
      blocks.push(h("div", { class: "block", role: "rowgroup", style: `--lines:${rows.length}` }, rows));
    }
    return blocks;
  }

  private line(number: number, pieces: Piece[]): HTMLElement {
    const { payload } = this;
    const letter = payload.states[number - 1] ?? ".";
    const state = letter.toLowerCase();
    const heat = payload.site.hasProfile ? h("span", { class: "heat", role: "cell" }) : null;
    if (heat && payload.heat[number]) this.heatCells.set(number, heat);
    const set = payload.testsOf[number];
    const isInferred = this.inferred.has(number);
    const title = `${STATE_NAMES[state]}${isInferred ? ", inferred: imported before measuring began" : ""}`;
    const notes = this.notes(number);
    const isLong = notes?.querySelector(".why") !== null;
    const cells = h(
      "div",
      { class: "cells" },
      h("a", { class: "no", role: "cell", href: `#L${number}` }, String(number)),
      h(
        "span",
        {
          class: "mark",
          role: "cell",
          title: state in STATE_NAMES ? title : undefined,
          "aria-label": letter in STATE_NAMES ? title : undefined,
        },
        isInferred && state === "r" ? "i" : (STATE_MARKS[state] ?? ""),
      ),
      heat,
      payload.site.hasTests &&
        h("span", { class: "by", role: "cell" }, set === undefined ? "" : this.testsButton(number, set)),
      h("code", { role: "cell" }, ...this.code(number, pieces), !isLong && notes),
    );
    // Reasons are sentences: below the line and as wide as the view, however long the line is.
    return h(
      "div",
      { id: `L${number}`, class: `line ${STATE_NAMES[state] ?? ""}`, role: "row" },
      cells,
      isLong && notes && h("div", { class: "reasons", role: "cell" }, notes),
    );
  }

  /** What the columns are; that of marks and that of the source need no name to be seen. */
  private columnHeads(): HTMLElement {
    const { site } = this.payload;
    const head = (name: string, text: string, label?: string) =>
      h("span", { class: name, role: "columnheader", "aria-label": label, title: label }, text);
    const cells = h(
      "div",
      { class: "cells" },
      head("no", "line"),
      head("mark", "", "state"),
      site.hasProfile && head("heat", "time", "time with what the line calls; the lower bar is its own"),
      site.hasTests && head("by", "tests", "how many tests ran the line"),
      head("code", "source"),
    );
    return h(
      "div",
      { class: "block heads", role: "rowgroup", style: "--lines:1" },
      h("div", { class: "line", role: "row" }, cells),
    );
  }

  /** The line's pieces, with operands marked that never had one of their outcomes. */
  private code(number: number, pieces: Piece[]): (Node | string)[] {
    const marks = this.payload.conditions[number] ?? [];
    const found: (Node | string)[] = [];
    let at = 0;
    for (const [text, classes] of pieces) {
      let begin = 0;
      // Cut where a mark begins or ends inside this piece.
      const cuts = marks
        .flatMap(([first, last]) => [first - at, last < 0 ? text.length : last - at])
        .filter((cut) => cut > 0 && cut < text.length);
      for (const cut of [...new Set([...cuts, text.length])].sort((a, b) => a - b)) {
        const part = text.slice(begin, cut);
        const mark = marks.find(([first, last]) => at + begin >= first && (last < 0 || at + begin < last));
        const all = mark ? `${classes} never` : classes;
        found.push(
          all
            ? h("span", { class: all.trim(), title: mark ? `never ${mark[3] ? "true" : "false"}` : undefined }, part)
            : part,
        );
        begin = cut;
      }
      at += text.length;
    }
    if (!found.length) found.push(" ");
    return found;
  }

  private notes(number: number): HTMLElement | null {
    const ways = this.payload.branches[number] ?? [];
    const never = this.payload.conditions[number] ?? [];
    if (!ways.length && !never.length) return null;
    const arrow = ([end, taken, text]: [number, number, string]) => {
      const label = `${taken ? "→" : "↛"} ${end > 0 ? end : "exit"}`;
      const title = taken ? (end > 0 ? `went to line ${end}` : "left here") : text;
      return end > 0
        ? h("a", { class: taken ? "way" : "way missed", href: `#L${end}`, title }, label)
        : h("span", { class: taken ? "way" : "way missed", title }, label);
    };
    const missed = ways.filter((way) => !way[1] && way[2]);
    return h(
      "span",
      { class: "notes" },
      ways.map(arrow),
      missed.length > 0 && h("span", { class: "why" }, missed.map((way) => way[2]).join("; ")),
      never.map(([, , text, outcome]) => h("span", { class: "why" }, `${text} never ${outcome ? "true" : "false"}`)),
    );
  }

  private testsButton(line: number, set: number): HTMLElement {
    const n = this.payload.testSets[set].length;
    return h(
      "button",
      {
        class: "tests",
        "aria-label": `${count(n, "test")} ran line ${line}`,
        click: () => this.toggleTests(line, set),
      },
      String(n),
    );
  }

  private toggleTests(line: number, set: number): void {
    const row = this.rows[line - 1];
    const next = row.nextElementSibling;
    if (next?.classList.contains("who")) {
      next.remove();
      return;
    }
    const spent = new Map(this.payload.testUs[line] ?? []);
    const all = [...spent.values()].reduce((sum, each) => sum + each, 0);
    const tests = this.payload.testSets[set].slice().sort((a, b) => (spent.get(b) ?? 0) - (spent.get(a) ?? 0) || a - b);
    row.after(
      h(
        "div",
        { class: "who", role: "row" },
        h(
          "ul",
          { role: "cell" },
          tests
            .slice(0, 200)
            .map((test) =>
              h(
                "li",
                {},
                this.testLink(this.payload.tests[test]),
                spent.has(test) &&
                  h("span", { class: "dim" }, ` ${percent((spent.get(test) as number) / all)} of the line's time`),
              ),
            ),
        ),
        tests.length > 200 && `and ${tests.length - 200} more`,
      ),
    );
  }

  private testLink(name: string): HTMLElement {
    return h("a", { href: `${root()}tests.html#q=${encodeURIComponent(name)}` }, h("code", {}, name));
  }

  /** To the flame graph, with the line's function searched for. */
  private flameLink(line: number, text: string): HTMLElement {
    const around = this.payload.functions.filter(
      ([, first, last, isClass]) => !isClass && first <= line && line <= last,
    );
    const name = around.sort((a, b) => b[1] - a[1])[0]?.[0] ?? "<module>";
    const pattern = `^${name.replace(/[^\w<>]/g, "\\$&")}$`;
    return h(
      "a",
      {
        href: `${root()}flame.html#q=${encodeURIComponent(pattern)}`,
        target: "_top",
        title: `${name} in the flame graph`,
      },
      text,
    );
  }

  private showHeat(): void {
    const { heat, sampledUs } = this.payload;
    const all = sampledUs[this.clock] || 1;
    const n = sampledUs.length;
    let most = 1;
    for (const row of Object.values(heat)) most = Math.max(most, row[this.clock + n]);
    for (const [line, cell] of this.heatCells) {
      const [own, total] = [heat[line][this.clock], heat[line][this.clock + n]];
      if (!total) {
        cell.replaceChildren();
        continue;
      }
      const title = `own ${seconds(own)} (${percent(own / all)}), with calls ${seconds(total)} (${percent(total / all)}), ${heat[line][2 * n]} samples`;
      cell.title = title;
      cell.replaceChildren(
        h("i", { class: "total", style: `width:${(100 * total) / most}%` }),
        h("i", { class: "own", style: `width:${(100 * own) / most}%` }),
        total / all >= 0.0005 ? this.flameLink(line, percent(total / all, total / all < 0.1 ? 1 : 0)) : "",
      );
    }
  }

  /** The place that the address names is where keys go on from. */
  private toHash(): void {
    const row = this.rows[Number(location.hash.slice(2)) - 1];
    if (!row) return;
    this.rows[this.current - 1]?.classList.remove("current");
    this.current = this.rows.indexOf(row) + 1;
    row.classList.add("current");
    row.scrollIntoView({ block: "center" });
  }

  private go(line: number): void {
    const row = this.rows[line - 1];
    if (!row) return;
    this.rows[this.current - 1]?.classList.remove("current");
    row.classList.add("current");
    row.scrollIntoView({ block: "center" });
    this.current = line;
    history.replaceState(null, "", `#L${line}`);
    announce(
      `Line ${line}, ${STATE_NAMES[this.payload.states[line - 1]?.toLowerCase()] ?? "no code"}: ${["code", ".reasons"].map((name) => row.querySelector(name)?.textContent ?? "").join(" ")}`,
    );
  }

  /** To the next run of lines that are missing, or partial line. */
  private goMissing(step: number): void {
    const { states } = this.payload;
    const isGap = (line: number) => "mp".includes(states[line - 1] ?? ".");
    const isStart = (line: number) => isGap(line) && !(states[line - 1] === "m" && /m/i.test(states[line - 2] ?? "."));
    for (let line = this.current + step; line >= 1 && line <= states.length; line += step) {
      if (isStart(line)) {
        this.go(line);
        return;
      }
    }
    announce(step > 0 ? "No missing line below" : "No missing line above");
  }

  private goHot(step: number): void {
    const ranked = Object.entries(this.payload.heat)
      .filter(([, row]) => row[this.clock] > 0)
      .sort((a, b) => b[1][this.clock] - a[1][this.clock] || Number(a[0]) - Number(b[0]))
      .map(([line]) => Number(line));
    if (!ranked.length) return;
    const at = ranked.indexOf(this.current);
    this.go(ranked[at < 0 ? 0 : Math.max(0, Math.min(ranked.length - 1, at + step))]);
  }

  /** The flame graph tells the page beside it what the chosen frame spent at each line. */
  private onMessage(event: MessageEvent): void {
    const data = event.data as { footfall?: string; shares?: Record<string, number> };
    if (event.source !== window.parent || data?.footfall !== "lines" || !data.shares) return;
    for (const [line, share] of Object.entries(data.shares)) {
      const row = this.rows[Number(line) - 1];
      if (!row || typeof share !== "number") continue;
      row.classList.add("of-frame");
      row
        .querySelector(".heat")
        ?.replaceChildren(
          h("i", { class: "own", style: `width:${100 * Math.min(1, share)}%` }),
          h("b", {}, percent(share)),
        );
    }
  }
}
