// The first page: totals, a map and a table of the files, the worst gaps, the hottest functions.

import { openPage } from "./chrome";
import { directoriesOf, type FileRow as File } from "./directories";
import { announce, h, sourceLink } from "./dom";
import { count, covered, coveredText, percent, seconds } from "./format";
import { type Gap, type OverviewPayload, readPayload } from "./payload";
import { type SortedTable, sortedTable } from "./table";
import { type Area, drawTreemap } from "./treemap";

export function showOverview(): void {
  const payload = readPayload<OverviewPayload>();
  const filter = h("input", { type: "search", placeholder: "Filter files (F)", "aria-label": "Filter files by name" });
  const state = h(
    "select",
    { "aria-label": "Which files" },
    h("option", { value: "all" }, "all files"),
    h("option", { value: "partial" }, "not fully covered"),
    h("option", { value: "none" }, "nothing ran"),
    h("option", { value: "changed" }, "changed"),
  );
  const main = openPage(payload.site, [{ key: "f /", what: "filter the files", action: () => filter.focus() }]);
  const files = payload.files.map(
    (row) => Object.fromEntries(payload.columns.map((name, i) => [name, row[i]])) as unknown as File,
  );
  const grouping = h(
    "select",
    { "aria-label": "Rows of the table" },
    h("option", { value: "files" }, "files"),
    h("option", { value: "directories" }, "directories"),
  );
  const directories = directoriesOf(files);
  const openDirectory = (name: string) => {
    grouping.value = "files";
    filter.value = name;
    apply();
    filter.focus();
  };
  const tables = {
    files: { table: fileTable(payload, files, openDirectory), n: files.length, one: "file", many: "files" },
    directories: {
      table: fileTable(payload, directories, openDirectory),
      n: directories.length,
      one: "directory",
      many: "directories",
    },
  };
  const place = h("div", {}, tables.files.table.element);
  const shown = h("span", { class: "dim" });
  const apply = () => {
    const { table, n: all, one, many } = tables[grouping.value as keyof typeof tables];
    place.replaceChildren(table.element);
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const n = table.filter(
      (file) => words.every((word) => file.name.toLowerCase().includes(word)) && isWanted(file, state.value),
    );
    shown.textContent = `${n} of ${count(all, one, many)}`;
    announce(shown.textContent);
  };
  grouping.addEventListener("change", apply);
  filter.addEventListener("input", apply);
  state.addEventListener("change", apply);
  if (!files.length) {
    // a profile without coverage: nothing to map, to rank or to list
    main.append(
      h("h1", {}, payload.site.title),
      totals(payload),
      ...changeSection(payload),
      hotSection(payload) ?? "",
      gilSection(payload) ?? "",
    );
    return;
  }
  main.append(
    h("h1", {}, payload.site.title),
    totals(payload),
    ...changeSection(payload),
    treemapSection(payload, files),
    h("div", { class: "columns" }, gapSection(payload), hotSection(payload)),
    gilSection(payload) ?? "",
    h(
      "section",
      {},
      h("h2", {}, "Files"),
      h("div", { class: "controls" }, filter, directories.length > 0 && grouping, state, shown),
      place,
    ),
  );
  shown.textContent = `${files.length} of ${count(files.length, "file")}`;
}

function isWanted(file: File, state: string): boolean {
  if (state === "partial") return covered(file) < 1;
  if (state === "none") return file.statements > 0 && file.missing === file.statements;
  if (state === "changed") return file.change !== null && Math.abs(file.change) >= 0.005;
  return true;
}

function totals(payload: OverviewPayload): HTMLElement {
  const { totals: all, site } = payload;
  const part = covered(all);
  const tiles: [string, string, string][] = payload.files.length
    ? [
        [coveredText(part, Math.max(site.precision, 1)), "covered", changeText(part, payload.totalBefore)],
        [
          (all.statements - all.missing).toLocaleString("en"),
          `of ${count(all.statements, "statement")} ran`,
          count(all.missing, "missing", "missing"),
        ],
      ]
    : [];
  if (site.hasBranches) {
    tiles.push([
      (all.branches - all.missingBranches).toLocaleString("en"),
      `of ${count(all.branches, "branch", "branches")} taken`,
      `${count(all.partial, "missing", "missing")} on lines that ran`,
    ]);
  }
  if (site.hasConditions) {
    const column = (name: string) =>
      payload.files.reduce((sum, row) => sum + Number(row[payload.columns.indexOf(name)]), 0);
    const [n, missing] = [column("conditions"), column("missingConditions")];
    tiles.push([(n - missing).toLocaleString("en"), `of ${count(n, "condition outcome")} seen`, `${missing} never`]);
  }
  if (site.hasProfile) {
    const [cpu, wall] = payload.sampledUs;
    const dropped = payload.samples + payload.dropped ? payload.dropped / (payload.samples + payload.dropped) : 0;
    tiles.push([
      seconds(cpu || wall),
      cpu ? "of CPU time" : "of wall time",
      `${count(payload.samples, "sample")}, ${percent(dropped)} dropped`,
    ]);
  }
  if (payload.tests) tiles.push([payload.tests.toLocaleString("en"), payload.tests === 1 ? "test" : "tests", ""]);
  return h(
    "div",
    { class: "tiles" },
    tiles.map(([value, what, more]) =>
      h("div", { class: "tile" }, h("b", {}, value), h("span", {}, what), h("small", {}, more)),
    ),
  );
}

function changeText(part: number, before: number | null): string {
  if (before === null) return "";
  const change = 100 * part - before;
  return Math.abs(change) < 0.005 ? "as before" : `${signed(change, 2)} points`;
}

function signed(value: number, digits: number): string {
  return `${value >= 0 ? "+" : "−"}${Math.abs(value).toFixed(digits)}`;
}

/** What is covered otherwise, and what takes other time, than in the report before or the other data file. */
function changeSection(payload: OverviewPayload): HTMLElement[] {
  const { changes } = payload;
  if (!changes) return [];
  const fileRow = ([name, page, before, now]: (typeof changes.files)[0]) => {
    const what =
      before === null
        ? `new, ${now?.toFixed(1)}% covered`
        : now === null
          ? "gone"
          : `${before.toFixed(1)}% → ${now.toFixed(1)}%, ${signed(now - before, 1)} points`;
    return h(
      "li",
      {},
      sourceLink(page, 1, name),
      h("div", { class: before !== null && now !== null && now < before ? "worse" : "" }, what),
    );
  };
  const functionRow = ([name, file, line, page, before, now]: (typeof changes.functions)[0]) =>
    h(
      "li",
      {},
      sourceLink(page, line, name),
      " ",
      h("span", { class: "dim" }, file && `${file}:${line}`),
      h(
        "div",
        { class: now > before ? "worse" : "" },
        `${seconds(before)} → ${seconds(now)}, ${now > before ? "+" : "−"}${seconds(Math.abs(now - before))} of its own`,
      ),
    );
  const more = changes.fileCount - changes.files.length;
  const columns = h(
    "div",
    { class: "columns" },
    changes.files.length > 0 &&
      h(
        "div",
        {},
        h("h3", {}, "Coverage"),
        h("ul", { class: "hot" }, changes.files.map(fileRow)),
        more > 0 && h("p", { class: "dim" }, `and ${count(more, "more file")}`),
      ),
    changes.functions.length > 0 &&
      h("div", {}, h("h3", {}, "Time, beyond chance"), h("ul", { class: "hot" }, changes.functions.map(functionRow))),
  );
  return [h("section", {}, h("h2", {}, `Changed since ${changes.since}`), columns)];
}

function treemapSection(payload: OverviewPayload, files: File[]): HTMLElement {
  const place = h("div");
  const draw = (by: "statements" | "ownUs") => {
    const areas = files.map((file): Area => ({
      name: file.name,
      href: file.page,
      size: file[by],
      covered: covered(file),
      title: `${coveredText(covered(file), 1)} covered, ${count(file.statements, "statement")}${file.ownUs ? `, ${seconds(file.ownUs)}` : ""}`,
    }));
    place.replaceChildren(
      drawTreemap(
        areas,
        `Files by ${by === "statements" ? "statements" : "own time"}, coloured by coverage`,
        place.clientWidth || innerWidth - 40,
      ),
    );
  };
  const select = h(
    "select",
    { "aria-label": "Area of a file" },
    h("option", { value: "statements" }, "area: statements"),
    payload.site.hasProfile && h("option", { value: "ownUs" }, "area: own time"),
  );
  const redraw = () => draw(select.value as "statements" | "ownUs");
  select.addEventListener("change", redraw);
  new ResizeObserver(redraw).observe(place);
  redraw();
  return h(
    "section",
    {},
    h("h2", {}, "Map"),
    h("div", { class: "controls" }, select, h("span", { class: "scale", "aria-hidden": "true" }, "0%", h("i"), "100%")),
    place,
  );
}

function gapSection(payload: OverviewPayload): HTMLElement {
  const { gaps } = payload;
  const title = payload.gapsAreOfAnotherProfile ? "Untested code by its time in the other profile" : "Worst gaps";
  if (!gaps.length) return h("section", {}, h("h2", {}, title), h("p", {}, "Every line and branch ran."));
  return h(
    "section",
    {},
    h("h2", {}, title),
    h(
      "ol",
      { class: "gaps" },
      gaps.map((gap) =>
        h(
          "li",
          {},
          sourceLink(gap.page, firstLine(gap), gap.name || "top level"),
          " ",
          h("span", { class: "dim" }, gap.file),
          h("div", {}, gapText(gap)),
        ),
      ),
    ),
    payload.gapCount > gaps.length && h("p", { class: "dim" }, `${payload.gapCount - gaps.length} more: footfall gaps`),
  );
}

function firstLine(gap: Gap): number {
  const found = /\d+/.exec(gap.text);
  return found ? Number(found[0]) : gap.line;
}

function gapText(gap: Gap): string {
  const parts = [];
  if (gap.missing === gap.statements) parts.push(`no test runs it (${count(gap.statements, "line")})`);
  else if (gap.missing) {
    parts.push(`${gap.missing} of ${count(gap.statements, "line")} missing: ${shortened(gap.text)}`);
  } else parts.push(`${count(gap.missingBranches, "branch", "branches")} never taken: ${shortened(gap.text)}`);
  if (gap.untestedShare >= 0.0005) parts.push(`${percent(gap.untestedShare)} of time untested`);
  else if (gap.ownShare >= 0.0005) parts.push(`${percent(gap.ownShare)} of time`);
  return parts.join(" · ");
}

/** The first few of many ranges. */
function shortened(text: string): string {
  const ranges = text.replaceAll("->", " → ").split(", ");
  return ranges.length > 6
    ? `${ranges.slice(0, 6).join(", ")} and ${count(ranges.length - 6, "more place")}`
    : ranges.join(", ");
}

function hotSection(payload: OverviewPayload): HTMLElement | null {
  const { hot, hotOther } = payload;
  if (!hot.length && !hotOther.length) return null;
  const all = payload.sampledUs[0] || payload.sampledUs[1] || 1;
  const most = Math.max(...[...hot, ...hotOther].map((row) => row[4]), 1);
  const list = (rows: OverviewPayload["hot"]) =>
    h(
      "ol",
      { class: "hot" },
      rows.map(([name, file, line, page, own, total]) =>
        h(
          "li",
          {},
          h("span", { class: "bar-back" }, h("i", { style: `width:${(100 * own) / most}%` })),
          sourceLink(page, line, name),
          " ",
          h("span", { class: "dim" }, file && `${file}:${line}`),
          h("div", {}, `${percent(own / all)} own, ${percent(total / all)} with what it calls`),
        ),
      ),
    );
  return h(
    "section",
    {},
    h("h2", {}, "Hottest functions", payload.sampledUs[0] ? "" : ", by wall time"),
    list(hot),
    hotOther.length > 0 && h("h3", {}, "In libraries and the interpreter"),
    hotOther.length > 0 && list(hotOther),
    h("p", {}, h("a", { href: "flame.html" }, "Flame graph")),
  );
}

/** Who held the GIL and who waited for it, by thread. */
function gilSection(payload: OverviewPayload): HTMLElement | null {
  if (!payload.threads.length) return null;
  const time = (title: string, hint: string, at: 1 | 2 | 3) => ({
    title,
    hint,
    value: (row: OverviewPayload["threads"][number]) => row[at],
    cell: (row: OverviewPayload["threads"][number]) => seconds(row[at]),
  });
  const table = sortedTable<OverviewPayload["threads"][number]>(
    "Threads",
    [
      { title: "Thread", value: (row) => row[0], isText: true, cell: (row) => row[0] },
      time("GIL", "time in which the thread held the GIL", 1),
      time("GIL wait", "time in which it waited for the GIL", 2),
      time("Wall", "all its time", 3),
    ],
    payload.threads,
    2,
  );
  return h(
    "section",
    { class: "gil" },
    h("h2", {}, "Waiting for the GIL"),
    table.element,
    h("p", {}, h("a", { href: "flame.html" }, "Flame graph"), " by these clocks, and by thread"),
  );
}

function fileTable(payload: OverviewPayload, files: File[], openDirectory: (name: string) => void): SortedTable<File> {
  const { site } = payload;
  const all = payload.sampledUs[0] || payload.sampledUs[1] || 1;
  const number = (value: number) => (value ? value.toLocaleString("en") : h("span", { class: "dim" }, "0"));
  return sortedTable<File>(
    "Files",
    [
      {
        title: "File",
        value: (file) => file.name,
        isText: true,
        cell: (file) =>
          file.name.endsWith("/")
            ? h("button", { class: "link", title: "Show its files", click: () => openDirectory(file.name) }, file.name)
            : sourceLink(file.page, 1, file.name),
      },
      { title: "Statements", value: (file) => file.statements },
      { title: "Missing", value: (file) => file.missing, cell: (file) => number(file.missing) },
      { title: "Excluded", value: (file) => file.excluded, cell: (file) => number(file.excluded) },
      ...(site.hasBranches
        ? [
            { title: "Branches", value: (file: File) => file.branches, cell: (file: File) => number(file.branches) },
            {
              title: "Partial",
              hint: "missing branches of lines that ran",
              value: (file: File) => file.partial,
              cell: (file: File) => number(file.partial),
            },
          ]
        : []),
      ...(site.hasConditions
        ? [
            {
              title: "Conditions",
              hint: "outcomes never seen",
              value: (file: File) => file.missingConditions,
              cell: (file: File) =>
                file.conditions ? `${file.conditions - file.missingConditions}/${file.conditions}` : "",
            },
          ]
        : []),
      ...(site.hasProfile
        ? [
            {
              title: "Own time",
              value: (file: File) => file.ownUs,
              cell: (file: File) => (file.ownUs ? percent(file.ownUs / all) : ""),
            },
          ]
        : []),
      { title: "Covered", value: (file) => covered(file), cell: (file) => coverBar(covered(file), site.precision) },
      ...(files.some((file) => file.change)
        ? [
            {
              title: "Change",
              hint: "points since the report before",
              value: (file: File) => file.change ?? 0,
              cell: (file: File) =>
                file.change === null
                  ? "new"
                  : file.change
                    ? `${file.change > 0 ? "+" : "−"}${Math.abs(file.change).toFixed(1)}`
                    : "",
            },
          ]
        : []),
    ],
    files,
  );
}

function coverBar(part: number, digits: number): Node {
  return h(
    "span",
    { class: "cover" },
    h("span", { class: "cover-back" }, h("i", { style: `width:${100 * part}%` })),
    coveredText(part, digits),
  );
}
