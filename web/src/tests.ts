// Each test with its time, what it covers, and where it is slow.

import { openPage } from "./chrome";
import { announce, h, sourceLink } from "./dom";
import { count, seconds } from "./format";
import { readPayload, type TestsPayload } from "./payload";
import { sortedTable } from "./table";

type Row = TestsPayload["rows"][0];

export function showTests(): void {
  const payload = readPayload<TestsPayload>();
  const filter = h("input", { type: "search", placeholder: "Filter tests (F)", "aria-label": "Filter tests by name" });
  const main = openPage(payload.site, [{ key: "f /", what: "filter the tests", action: () => filter.focus() }]);
  const hasCpu = payload.rows.some((row) => row[1] > 0);
  const link = (file: number, line: number, text: string) => {
    const [name, page] = payload.files[file];
    return sourceLink(page, line, `${name}:${text}`);
  };
  const list = (title: string, items: Node[]) =>
    h(
      "details",
      {},
      h("summary", {}, title),
      h(
        "ul",
        {},
        items.map((item) => h("li", {}, item)),
      ),
    );
  const slowest = (row: Row) => {
    const [file, line] = row[6][0];
    return `${payload.files[file][0].split("/").pop()}:${line}`;
  };
  const name = (row: Row) => {
    const text = h("code", {}, row[0]);
    return payload.site.hasProfile && row[3]
      ? h(
          "a",
          { href: `flame.html#test=${encodeURIComponent(row[0])}&frames=own`, title: "Flame graph of this test" },
          text,
        )
      : text;
  };
  const table = sortedTable<Row>(
    "Tests",
    [
      { title: "Test", value: (row) => row[0], isText: true, cell: name },
      ...(payload.site.hasProfile
        ? [
            {
              title: hasCpu ? "CPU" : "Time",
              value: (row: Row) => (hasCpu ? row[1] : row[2]),
              cell: (row: Row) => seconds(hasCpu ? row[1] : row[2]),
            },
            ...(payload.site.hasCpuTimeAlone
              ? []
              : [{ title: "Wall", value: (row: Row) => row[2], cell: (row: Row) => seconds(row[2]) }]),
            { title: "Samples", value: (row: Row) => row[3] },
          ]
        : []),
      ...(payload.rows.some((row) => row[4] > 0)
        ? [
            { title: "Lines", value: (row: Row) => row[4] },
            {
              title: "Only it",
              hint: "lines that no other test runs",
              value: (row: Row) => row[5],
              cell: (row: Row) =>
                row[5]
                  ? list(
                      String(row[5]),
                      row[7].map(([file, line, text]) => link(file, line, text)),
                    )
                  : "0",
            },
          ]
        : []),
      ...(payload.site.hasProfile
        ? [
            {
              title: "Slowest lines",
              isText: true,
              value: (row: Row) => row[6].length,
              cell: (row: Row) =>
                row[6].length
                  ? list(
                      slowest(row),
                      row[6].map(([file, line, cpu, wall, name]) =>
                        h("span", {}, link(file, line, String(line)), ` ${name} ${seconds(hasCpu ? cpu : wall)}`),
                      ),
                    )
                  : "",
            },
          ]
        : []),
    ],
    payload.rows,
    payload.site.hasProfile ? 1 : 0,
  );
  const shown = h("span", { class: "dim" }, `${payload.rows.length} of ${count(payload.rows.length, "test")}`);
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    const n = table.filter((row) => words.every((word) => row[0].toLowerCase().includes(word)));
    shown.textContent = `${n} of ${count(payload.rows.length, "test")}`;
    announce(shown.textContent);
  };
  filter.addEventListener("input", apply);
  const wanted = new URLSearchParams(location.hash.slice(1)).get("q");
  if (wanted) {
    filter.value = wanted;
    apply();
  }
  main.append(h("h1", {}, "Tests"), h("div", { class: "controls" }, filter, shown), table.element);
}
