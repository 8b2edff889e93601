// From the payload to the tree that is drawn: lines joined to functions, costs of one clock, thread and test summed,
// callers or callees first. All in typed arrays: 100,000 nodes are built in a few tens of milliseconds.

import type { FlamePayload } from "../payload";

export const CLOCKS = ["cpu", "wall", "gil", "gil-wait", "samples"] as const;
export type Clock = (typeof CLOCKS)[number];
export const COLUMN: Record<Clock, number> = { samples: 3, cpu: 4, wall: 5, gil: 6, "gil-wait": 7 };
/** The clocks of which the order in time knows what each span took; the others show wall time there. */
export const isInOrder = (clock: Clock): boolean => clock === "cpu" || clock === "gil";

export interface Choice {
  clock: Clock;
  /** -1: all */
  thread: number;
  test: number;
  isInverted: boolean;
  order: "heaviest" | "name" | "time";
}

export interface Chance {
  /** A change is one of at least so many standard errors. */
  errors: number;
  /** All functions take so many times as long; the variance of a function's logarithmic ratio around that. */
  factor: number;
  variance: number;
  /** How much is known of the variance; 0: it is presumed. */
  information: number;
}

/** Presumed where too few functions tell: some 25 % either way. */
const PRESUMED_VARIANCE = 0.0625;
/** With fewer samples, standard errors say little. */
const MIN_SAMPLES = 6;
const MIN_ERRORS = 3;
const MAX_ERRORS = 10;
/** How probable it may be that any frame is coloured when nothing has changed. */
const CHANCE = 0.01;

export interface Tree {
  /** Node 0 is the root; parents come first. */
  parent: Int32Array;
  /** Negative where a node is no function: a thread, a test, see `texts`. */
  func: Int32Array;
  self: Float64Array;
  total: Float64Array;
  totalBefore: Float64Array;
  depth: Int32Array;
  maxDepth: number;
  /** How wide a node is drawn, and where it begins: in the unit of the clock, or in time that went by. */
  width: Float64Array;
  start: Float64Array;
  /** Children of node n: children[first[n]] to children[first[n + 1] - 1], in the order they are drawn. */
  first: Int32Array;
  children: Int32Array;
  /** Number of samples of the choice, and of the profile to compare with. */
  samples: number;
  samplesBefore: number;
  /** What equal samples of the same error would stand for. */
  unit: number;
  unitBefore: number;
  /** What differs between two runs when nothing has changed. */
  chance: Chance;
  /** All time of the choice, also of frames that are not shown. */
  sum: number;
  /** The same of the profile to compare with. */
  sumBefore: number;
  order: Choice["order"];
  /** What nodes are called that are no functions. */
  texts: Map<number, string>;
  /** The node of the tree of sums that a node is a part of. */
  joined: Int32Array | null;
}

interface Nodes {
  parent: number[];
  func: number[];
  self: Float64Array;
  before: Float64Array;
}

/** By line node its cost; node 0 (no Python code) is left out. */
function lineCosts(payload: FlamePayload, costs: number[][], choice: Choice, column: number): Float64Array {
  const found = new Float64Array(payload.nodes[0].length);
  if (!costs.length) return found;
  const [nodes, threads, tests] = costs;
  const values = costs[column];
  for (let i = 0; i < nodes.length; i++) {
    if (
      nodes[i] !== 0 &&
      (choice.thread < 0 || threads[i] === choice.thread) &&
      (choice.test < 0 || tests[i] === choice.test)
    ) {
      found[nodes[i]] += values[i];
    }
  }
  return found;
}

/**
 * Join line nodes of one function below one caller. Also returns the node of each line node.
 * With `ownOnly`, frames of libraries are left out: what they took is their caller's.
 */
export function joinLines(
  payload: FlamePayload,
  ownOnly: boolean,
): { parent: number[]; func: number[]; nodeOf: Int32Array } {
  const isShown = payload.functions.map(([file]) => !ownOnly || payload.files[file][2] === 1);
  const [parents, frames] = payload.nodes;
  const functionOf = payload.frames[0];
  const nFunctions = payload.functions.length + 1;
  const parent = [-1];
  const func = [-1];
  const nodeOf = new Int32Array(parents.length);
  const known = new Map<number, number>();
  for (let i = 1; i < parents.length; i++) {
    const above = nodeOf[parents[i]];
    if (!isShown[functionOf[frames[i]]]) {
      nodeOf[i] = above;
      continue;
    }
    const key = above * nFunctions + functionOf[frames[i]];
    let node = known.get(key);
    if (node === undefined) {
      node = parent.length;
      known.set(key, node);
      parent.push(above);
      func.push(functionOf[frames[i]]);
    }
    nodeOf[i] = node;
  }
  return { parent, func, nodeOf };
}

export type Joined = ReturnType<typeof joinLines>;

export function buildTree(payload: FlamePayload, joined: Joined, choice: Choice): Tree {
  const after = lineCosts(payload, payload.costs, choice, COLUMN[choice.clock]);
  const before = lineCosts(payload, payload.before, { ...choice, thread: -1, test: -1 }, COLUMN[choice.clock]);
  const n = joined.parent.length;
  const nodes: Nodes = {
    parent: joined.parent,
    func: joined.func,
    self: new Float64Array(n),
    before: new Float64Array(n),
  };
  for (let i = 1; i < after.length; i++) {
    if (!joined.nodeOf[i]) continue; // nothing of it is shown
    nodes.self[joined.nodeOf[i]] += after[i];
    nodes.before[joined.nodeOf[i]] += before[i];
  }
  const all = { ...choice, thread: -1, test: -1 };
  const counts = [
    lineCosts(payload, payload.costs, choice, COLUMN.samples),
    lineCosts(payload, payload.before, all, COLUMN.samples),
  ];
  const [samples, samplesBefore] = counts.map((each) => each.reduce((sum, n) => sum + n, 0));
  const sum = after.reduce((total, each) => total + each, 0);
  const shown = choice.isInverted ? invert(nodes, payload.functions.length) : nodes;
  const sumBefore = before.reduce((total, each) => total + each, 0);
  const units = [sum / (samples || 1), sumBefore / (samplesBefore || 1)];
  const [unit, unitBefore] = units.map((mean, i) => Math.max(mean, sampleUs(payload, choice.clock, i)));
  const tree = finish(payload, shown, choice.order);
  const least = MIN_SAMPLES * Math.max(unit, unitBefore);
  let compared = 0;
  for (let i = 1; i < tree.total.length; i++) if (Math.max(tree.total[i], tree.totalBefore[i]) >= least) compared++;
  const [factor, variance, information] = payload.noise[choice.clock] ?? [1, 0, 0];
  const chance = information
    ? { factor, variance, information, errors: errorsOf(compared) }
    : { factor: 1, variance: PRESUMED_VARIANCE, information: 0, errors: errorsOf(compared) };
  return { ...tree, chance, samples, samplesBefore, unit, unitBefore, sum, sumBefore };
}

/** How many standard errors none of so many frames exceeds by chance (Bonferroni's correction). */
function errorsOf(compared: number): number {
  const tail = (x: number) => (Math.sqrt(2 / Math.PI) * Math.exp((-x * x) / 2)) / x; // of the normal distribution, at most
  let errors = MIN_ERRORS;
  while (compared * tail(errors) > CHANCE && errors < MAX_ERRORS) errors += 0.01;
  return errors;
}

function sampleUs(payload: FlamePayload, clock: Clock, i: number): number {
  return clock === "samples" ? 1 : (payload.sampleUs[i]?.[clock] ?? 0);
}

/** The tree that begins with the functions that ran and goes on with their callers. */
function invert(nodes: Nodes, nFunctions: number): Nodes {
  const parent = [-1];
  const func = [-1];
  const self = [0];
  const before = [0];
  const known = new Map<number, number>();
  for (let leaf = 1; leaf < nodes.parent.length; leaf++) {
    if (!nodes.self[leaf] && !nodes.before[leaf]) continue;
    let above = 0;
    for (let node = leaf; node > 0; node = nodes.parent[node]) {
      const key = above * (nFunctions + 1) + nodes.func[node];
      let found = known.get(key);
      if (found === undefined) {
        found = parent.length;
        known.set(key, found);
        parent.push(above);
        func.push(nodes.func[node]);
        self.push(0);
        before.push(0);
      }
      above = found;
    }
    self[above] += nodes.self[leaf];
    before[above] += nodes.before[leaf];
  }
  return { parent, func, self: Float64Array.from(self), before: Float64Array.from(before) };
}

function finish(
  payload: FlamePayload,
  nodes: Nodes,
  order: Choice["order"],
): Omit<Tree, "chance" | "samples" | "samplesBefore" | "unit" | "unitBefore" | "sum" | "sumBefore"> {
  const n = nodes.parent.length;
  const parent = Int32Array.from(nodes.parent);
  const func = Int32Array.from(nodes.func);
  const total = nodes.self.slice();
  const totalBefore = nodes.before.slice();
  const depth = new Int32Array(n);
  const first = new Int32Array(n + 1);
  let maxDepth = 0;
  for (let i = 1; i < n; i++) {
    depth[i] = depth[parent[i]] + 1;
    first[parent[i] + 1]++;
  }
  for (let i = n - 1; i > 0; i--) {
    total[parent[i]] += total[i];
    totalBefore[parent[i]] += totalBefore[i];
    if (total[i] > 0 && depth[i] > maxDepth) maxDepth = depth[i];
  }
  for (let i = 0; i < n; i++) first[i + 1] += first[i];
  const children = new Int32Array(n - 1);
  const next = first.slice();
  for (let i = 1; i < n; i++) children[next[parent[i]]++] = i;
  sortChildren(payload, func, total, first, children, order);
  const start = new Float64Array(n);
  for (let i = 0; i < n; i++) place(i, start, total, first, children);
  return {
    parent,
    func,
    self: nodes.self,
    total,
    totalBefore,
    depth,
    maxDepth,
    width: total,
    start,
    first,
    children,
    order,
    texts: new Map(),
    joined: null,
  };
}

function place(node: number, start: Float64Array, total: Float64Array, first: Int32Array, children: Int32Array): void {
  let at = start[node];
  for (let i = first[node]; i < first[node + 1]; i++) {
    start[children[i]] = at;
    at += total[children[i]];
  }
}

function sortChildren(
  payload: FlamePayload,
  func: Int32Array,
  total: Float64Array,
  first: Int32Array,
  children: Int32Array,
  order: Choice["order"],
): void {
  const name = (node: number) => payload.functions[func[node]][1];
  const compare =
    order === "heaviest"
      ? (a: number, b: number) => total[b] - total[a] || a - b
      : (a: number, b: number) => (name(a) < name(b) ? -1 : name(a) > name(b) ? 1 : a - b);
  for (let node = 0; node + 1 < first.length; node++) {
    if (first[node + 1] - first[node] > 1) children.subarray(first[node], first[node + 1]).sort(compare);
  }
}

export interface FunctionTimes {
  func: number;
  self: number;
  total: number;
  before: number;
}

/** Own and whole time of each function; recursion is counted once. */
export function functionTimes(tree: Tree, nFunctions: number): FunctionTimes[] {
  const found = Array.from({ length: nFunctions }, (_, func) => ({ func, self: 0, total: 0, before: 0 }));
  const active = new Int32Array(nFunctions);
  const todo = [0];
  while (todo.length) {
    const node = todo.pop() as number;
    if (node < 0) {
      active[tree.func[~node]]--;
      continue;
    }
    if (node > 0) {
      const entry = found[tree.func[node]];
      entry.self += tree.self[node];
      if (active[tree.func[node]]++ === 0) {
        entry.total += tree.total[node];
        entry.before += tree.totalBefore[node];
      }
      todo.push(~node);
    }
    for (let i = tree.first[node]; i < tree.first[node + 1]; i++) todo.push(tree.children[i]);
  }
  return found.filter((each) => each.total > 0 || each.before > 0);
}

/** The time below frames that match, each counted once. */
export function matchedTime(tree: Tree, isMatch: Uint8Array): number {
  let sum = 0;
  const todo = [0];
  while (todo.length) {
    const node = todo.pop() as number;
    if (node > 0 && isMatch[tree.func[node]]) {
      sum += tree.total[node];
      continue;
    }
    for (let i = tree.first[node]; i < tree.first[node + 1]; i++) todo.push(tree.children[i]);
  }
  return sum;
}

/** Own cost by line node of a choice; `timeByLine` adds them up. */
export function chosenCosts(payload: FlamePayload, choice: Choice): Float64Array {
  return lineCosts(payload, payload.costs, choice, COLUMN[choice.clock]);
}

/** The time of a function by line of it, within one node of the tree of calls (or all of them: node -1). */
export function timeByLine(
  payload: FlamePayload,
  joined: Joined,
  costs: Float64Array,
  func: number,
  node: number,
): Map<number, number> {
  const [parents, frames] = payload.nodes;
  const [functionOf, lineOf] = payload.frames;
  for (let i = costs.length - 1; i > 0; i--) if (parents[i] > 0) costs[parents[i]] += costs[i];
  const found = new Map<number, number>();
  for (let i = 1; i < costs.length; i++) {
    if (functionOf[frames[i]] !== func || (node >= 0 && joined.nodeOf[i] !== node) || costs[i] === 0) continue;
    if (node < 0 && isWithin(payload, i, func)) continue;
    found.set(lineOf[frames[i]], (found.get(lineOf[frames[i]]) ?? 0) + costs[i]);
  }
  return found;
}

/** Whether a frame of the same function is above: then its time is in that one's already. */
function isWithin(payload: FlamePayload, node: number, func: number): boolean {
  const [parents, frames] = payload.nodes;
  for (let above = parents[node]; above > 0; above = parents[above]) {
    if (payload.frames[0][frames[above]] === func) return true;
  }
  return false;
}

/** By how much a node's time changed, and whether that is more than the noise of sampling and of the machine. */
export function changeOf(tree: Tree, after: number, before: number): { time: number; isSure: boolean } {
  const { errors, factor, variance, information } = tree.chance;
  const sample = Math.max(tree.unit, tree.unitBefore);
  const expected = [before, before * factor];
  const beyond = Math.max(Math.min(...expected) - after, after - Math.max(...expected));
  const mean = logarithmicMean(Math.max(before, sample), Math.max(after, sample));
  const all = (after * tree.unit + before * tree.unitBefore) / mean ** 2 + variance;
  const error = mean * Math.sqrt(all) * enlargement(all ** 2 * information, errors);
  return { time: after - before, isSure: beyond > errors * error && beyond >= MIN_SAMPLES * sample };
}

/** By this mean the difference of two times is the logarithm of their ratio. */
function logarithmicMean(one: number, other: number): number {
  const logarithm = Math.log(other / one);
  return Math.abs(logarithm) > 1e-6 ? (other - one) / logarithm : one;
}

/** What to multiply a standard error with that is itself an estimate: Student's distribution, by Wallace's approximation. */
function enlargement(freedom: number, errors: number): number {
  if (!freedom) return 1;
  const exponent = ((errors * (8 * freedom + 3)) / (8 * freedom + 1)) ** 2 / freedom;
  return Math.sqrt(freedom * Math.expm1(Math.min(exponent, 50))) / errors;
}
