// A table that sorts by its columns and filters by text. Rows are made once and moved.

import { announce, h } from "./dom";

export interface Column<T> {
  title: string;
  /** Numbers sort as numbers, the greatest first; texts from a to z. */
  value: (row: T) => number | string;
  cell?: (row: T) => Node | string;
  hint?: string;
  isText?: boolean;
}

export interface SortedTable<T> {
  element: HTMLElement;
  filter: (keep: (row: T) => boolean) => number;
}

export function sortedTable<T>(
  caption: string,
  columns: Column<T>[],
  rows: T[],
  sortBy = 0,
  ascending?: boolean,
): SortedTable<T> {
  const lines = rows.map((row) => ({ row, element: line(columns, row), isShown: true }));
  const body = h("tbody");
  let by = sortBy;
  let isUp = ascending ?? columns[by].isText === true;
  const heads = columns.map((column, index) =>
    h(
      "th",
      { scope: "col", class: column.isText ? "text" : "number" },
      h("button", { title: column.hint, click: () => choose(index) }, column.title),
    ),
  );

  function choose(index: number): void {
    isUp = index === by ? !isUp : columns[index].isText === true;
    by = index;
    sort();
    announce(`Sorted by ${columns[by].title}, ${isUp ? "ascending" : "descending"}`);
  }

  function sort(): void {
    const value = columns[by].value;
    const direction = isUp ? 1 : -1;
    lines.sort((a, b) => {
      const [x, y] = [value(a.row), value(b.row)];
      return (typeof x === "string" ? x.localeCompare(String(y)) : x - Number(y)) * direction;
    });
    body.replaceChildren(...lines.filter((each) => each.isShown).map((each) => each.element));
    heads.forEach((head, index) => {
      if (index === by) head.setAttribute("aria-sort", isUp ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  sort();
  return {
    element: h(
      "div",
      { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
      h(
        "table",
        { class: "sorted" },
        h("caption", { class: "quiet" }, caption),
        h("thead", {}, h("tr", {}, heads)),
        body,
      ),
    ),
    filter(keep) {
      for (const each of lines) each.isShown = keep(each.row);
      sort();
      return lines.filter((each) => each.isShown).length;
    },
  };
}

function line<T>(columns: Column<T>[], row: T): HTMLTableRowElement {
  return h(
    "tr",
    {},
    columns.map((column) =>
      h(
        "td",
        { class: column.isText ? "text" : "number", "data-label": column.title },
        column.cell ? column.cell(row) : String(column.value(row)),
      ),
    ),
  );
}
