// What the pages are given: see src/footfall/report/site in the Python package, which writes it.

export interface Site {
  title: string;
  hasBranches: boolean;
  hasProfile: boolean;
  hasTests: boolean;
  hasConditions: boolean;
  /** PyPy's sampler knows no other clock. */
  hasCpuTimeAlone: boolean;
  /** A page by itself, without a site around it. */
  isAlone?: boolean;
  precision: number;
  version: string;
  /** Pages of sources do not say it, so that those of unchanged files stay as they are. */
  created?: string;
}

export interface Numbers {
  statements: number;
  missing: number;
  excluded: number;
  branches: number;
  partial: number;
  missingBranches: number;
}

export interface Gap {
  file: string;
  page: string;
  name: string;
  line: number;
  statements: number;
  missing: number;
  missingBranches: number;
  text: string;
  untestedShare: number;
  ownShare: number;
}

export interface Changes {
  /** What it changed since, to follow that word. */
  since: string;
  fileCount: number;
  /** name, page or "", per cent before and now; null: was or is not there */
  files: [string, string, number | null, number | null][];
  /** function, file, line, page or "", own microseconds before and now */
  functions: [string, string, number, string, number, number][];
}

export interface OverviewPayload {
  site: Site;
  columns: string[];
  files: (string | number | null)[][];
  totals: Numbers;
  totalBefore: number | null;
  changes: Changes | null;
  gaps: Gap[];
  gapCount: number;
  gapsAreOfAnotherProfile: boolean;
  /** CPU, wall, GIL of the whole profile, and if something waited for it, waiting for the GIL. */
  sampledUs: number[];
  /** Who held the GIL and who waited for it: thread, with the GIL, waiting for it, wall; empty if nothing waited. */
  threads: [string, number, number, number][];
  /** function, file ("": it has none), line, page, own, total: the project's, then others */
  hot: [string, string, number, string, number, number][];
  hotOther: [string, string, number, string, number, number][];
  samples: number;
  dropped: number;
  tests: number;
}

export interface SourcePayload {
  site: Site;
  name: string;
  numbers: Numbers;
  text: string;
  /** A letter for each line: r m p x or ".", upper case for further lines of a statement. */
  states: string;
  /** Lines that ran before measuring began: not seen, inferred from the source. */
  inferred: number[];
  /** By line: where it leads (< 0: out of the code), taken, what was not done. */
  branches: Record<string, [number, number, string][]>;
  /** By line: first column, last column (-1: the line's end), text, the outcome that never was. */
  conditions: Record<string, [number, number, string, number][]>;
  /** By line: own times by clock, total times by clock, own samples. */
  heat: Record<string, number[]>;
  /** By clock: CPU, wall, GIL, and if something waited for it, waiting for the GIL. */
  sampledUs: number[];
  tests: string[];
  testSets: number[][];
  testsOf: Record<string, number>;
  /** By line: pairs of test and own time. */
  testUs: Record<string, [number, number][]>;
  /** name, first line, last line, is a class */
  functions: [string, number, number, number][];
}

/** thread, start; columns by span: node, microseconds, per cent with CPU, with the GIL; pairs of test and its spans in a row */
export type ThreadTimeline = [number, number, number[], number[], number[], number[], [number, number][]];

export interface FlamePayload {
  site: Site;
  /** shown path, source page or "", is of the project (not of a library) */
  files: [string, string, number][];
  /** file, qualified name, first line, part that tests ran */
  functions: [number, string, number, number | null][];
  /** columns: function, line */
  frames: [number[], number[]];
  /** columns: parent, frame; node 0 is the root */
  nodes: [number[], number[]];
  threads: string[];
  tests: string[];
  /** columns: node, thread, test, samples, CPU, wall, GIL, waiting for the GIL */
  costs: number[][];
  before: number[][];
  /** Of two profiles, by clock: all functions' factor, the variance of one's logarithmic ratio, how much is known of it. */
  noise: Partial<Record<string, [number, number, number]>>;
  /** what a sample is worth by clock, in µs, of this profile and of the one to compare with; 0 where it is not known */
  sampleUs: { cpu: number; wall: number; gil: number; "gil-wait"?: number }[];
  /** The order in time, from the start of each run; stepUs: the grid that spans are on, 0 where all samples are there. */
  timeline: { stepUs: number; threads: ThreadTimeline[] };
  /** what is shown first, where somebody chose it */
  clock?: "cpu" | "wall" | "gil" | "gil-wait" | "samples" | null;
  /** those that the profile knows, in the order of choice */
  clocks: ("cpu" | "wall" | "gil" | "gil-wait" | "samples")[];
  intervalUs: number;
  samples: number;
  dropped: number;
  processes: number;
}

export interface TestsPayload {
  site: Site;
  /** name, CPU, wall, samples, lines, only lines, slowest [file, line, CPU, wall, function: where there is no file], only [file, line, text] */
  rows: [
    string,
    number,
    number,
    number,
    number,
    number,
    [number, number, number, number, string][],
    [number, number, string][],
  ][];
  files: [string, string][];
}

const PACKED = "application/gzip";
let unpacked: unknown;

export function isPacked(): boolean {
  return document.getElementById("payload")?.getAttribute("type") === PACKED;
}

/** Unpack a long payload, for `readPayload`. */
export async function unpackPayload(): Promise<void> {
  const text = atob(document.getElementById("payload")?.textContent ?? "");
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  unpacked = await new Response(stream).json();
}

export function readPayload<T>(): T {
  if (unpacked !== undefined) return unpacked as T;
  const element = document.getElementById("payload");
  return JSON.parse(element?.textContent ?? "null") as T;
}
