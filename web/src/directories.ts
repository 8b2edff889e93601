// Totals of directories, for the table of files: every directory has those of all files below it.

import type { Numbers } from "./payload";

export interface FileRow extends Numbers {
  name: string;
  page: string;
  conditions: number;
  missingConditions: number;
  ownUs: number;
  change: number | null;
}

const SUMS = [
  "statements",
  "missing",
  "excluded",
  "branches",
  "partial",
  "missingBranches",
  "conditions",
  "missingConditions",
  "ownUs",
] as const;

/** A row for each directory, its name with a slash at the end; one that holds another and nothing else has none. */
export function directoriesOf(files: FileRow[]): FileRow[] {
  const found = new Map<string, { row: FileRow; count: number }>();
  for (const file of files) {
    for (let end = file.name.indexOf("/", 1); end > 0; end = file.name.indexOf("/", end + 1)) {
      const name = file.name.slice(0, end + 1);
      const sum = found.get(name) ?? {
        row: { ...file, name, page: "", change: null, ...Object.fromEntries(SUMS.map((key) => [key, 0])) },
        count: 0,
      };
      for (const key of SUMS) sum.row[key] += file[key];
      sum.count += 1;
      found.set(name, sum);
    }
  }
  for (const [name, { count }] of found) {
    const outer = name.slice(0, name.lastIndexOf("/", name.length - 2) + 1);
    if (found.get(outer)?.count === count) found.delete(outer);
  }
  return [...found.values()].map(({ row }) => row);
}
