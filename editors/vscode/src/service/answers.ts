// What the service answers, as far as the extension uses it: docs/protocol.md describes all of it.

export const PROTOCOL_VERSION = 1;

export interface Initialized {
  protocol_version: number;
  server: { name: string; version: string };
  root: string;
  data_file: string;
  has_data: boolean;
}

/** Blocks of lines that did not change: first line as measured, first line now, number of lines. */
export type Blocks = [number, number, number][];

export interface SourceState {
  path: string;
  name: string;
  is_stale: boolean | null;
  unchanged?: Blocks | null;
}

export interface Summary {
  covered_lines: number;
  num_statements: number;
  percent_covered: number;
  covered_branches?: number;
  num_branches?: number;
}

export interface Branch {
  /** Negative if it leaves the code that begins at that line. */
  to: number;
  taken: boolean;
  text: string;
}

export interface Region {
  start_line: number;
  executed_lines: number[];
  missing_lines: number[];
}

export interface FileCoverage extends SourceState {
  coverage: {
    executed_lines: number[];
    missing_lines: number[];
    excluded_lines: number[];
    summary: Summary;
    functions?: Record<string, Region>;
  };
  branches: Record<string, Branch[]>;
  statements: [number, number][];
  conditions: { missing: Condition[] } | null;
}

export interface Condition {
  line: number;
  column: number;
  end_line: number;
  end_column: number;
  text: string;
  never: string;
}

export interface FilesCoverage {
  files: { path: string; name: string; is_stale: boolean | null; summary: Summary }[];
}

export interface LineTimes extends SourceState {
  lines: Record<string, { own_share: number; total_share: number }>;
}

export interface Gap {
  file: string;
  function: string;
  start_line: number;
  missing: string;
  untested_seconds: number;
  own_seconds: number;
}

export interface Gaps {
  total_seconds: number;
  gaps: Gap[];
  n_gaps: number;
  /** All that changed since they were measured. */
  stale_files: string[];
  /** Of which there are no gaps, each with the reason. */
  unreadable: { name: string; slug: string; text: string }[];
}

export interface TestsOfLine {
  name: string;
  line: number;
  tests: string[];
  n_tests: number;
  is_run_outside_tests: boolean;
  state: "run" | "missing" | "excluded" | "none";
}

export interface TestsByFile {
  names: string[];
  files: { path: string; tests: number[] }[];
}

export interface FlamePage {
  title: string;
  page: string;
}

export interface Methods {
  initialize: [{ protocol_version: number }, Initialized];
  "coverage/file": [
    { path: string; tests?: boolean; test?: string; only_lines?: true; without_conditions?: true },
    FileCoverage,
  ];
  "coverage/files": [Record<string, never>, FilesCoverage];
  "coverage/stale": [{ paths: string[] }, unknown];
  "coverage/gaps": [{ count: number }, Gaps];
  "profile/lines": [{ path: string; profile?: string }, LineTimes];
  "profile/flame": [{ page: true; links: true; profile?: string; before?: string; path?: string }, FlamePage];
  "tests/of_line": [{ path: string; line: number; count?: number }, TestsOfLine];
  "tests/by_file": [{ count: number }, TestsByFile];
}
