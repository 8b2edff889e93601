// The tree of what happened when: a lane for each thread, in it the stacks one after the other, frames that go on joined.
// Above a thread's stacks its tests have a lane. Time is on the clock on the wall, from the start of the run; what the
// other clocks say of a frame is in its totals.

import type { FlamePayload, ThreadTimeline } from "../payload";
import type { Choice, Clock, Joined, Tree } from "./tree";

const MAX_LANES = 16;
const MAX_BOXES = 1_000_000;

export interface TimeTree extends Tree {
  /** Whether some threads, or the deepest frames, are left out. */
  isCut: boolean;
  /** When the first span of the choice begins. */
  begins: number;
  /** By the first box of a lane its thread. */
  threadOf: Map<number, number>;
}

export function hasTimeline(payload: FlamePayload): boolean {
  return payload.timeline.threads.some(([, , nodes]) => nodes.some((node) => node > 0));
}

export function buildTimeTree(payload: FlamePayload, joined: Joined, choice: Choice, sums: Tree): TimeTree {
  const chosen = payload.timeline.threads.filter(([thread]) => choice.thread < 0 || thread === choice.thread);
  const busy = chosen
    .map((each): [number, ThreadTimeline] => [busyTime(each, choice), each])
    .filter(([time]) => time > 0)
    .sort((a, b) => b[0] - a[0]);
  const lanes = busy.slice(0, MAX_LANES).map(([, each]) => each);
  const depthOf = depths(joined.parent);
  const deepest = depthThatFits(lanes, joined, choice, depthOf);
  const boxes = new Boxes();
  const [begins, ends] = extent(lanes, choice);
  const origin = lanes.length ? begins : 0;
  const width = lanes.length ? ends - begins : 0;
  boxes.open(-1, -1, -1, 0, 0);
  boxes.width[0] = width;
  let top = 1;
  for (const lane of lanes) {
    top = addLane(payload, joined, choice, depthOf, deepest.depth, lane, origin, width, top, boxes);
  }
  const tree = finish(boxes, sums);
  return { ...tree, isCut: busy.length > lanes.length || deepest.isCut, begins: origin, threadOf: boxes.threadOf };
}

/** From when to when anything of the choice ran. */
function extent(lanes: ThreadTimeline[], choice: Choice): [number, number] {
  let [begins, ends] = [Infinity, -Infinity];
  for (const lane of lanes) {
    const testOf = tests(lane);
    let at = lane[1];
    for (let i = 0; i < testOf.length; i++) {
      const isChosen = lane[2][i] > 0 && (choice.test < 0 || testOf[i] === choice.test);
      if (isChosen) begins = Math.min(begins, at);
      at += lane[3][i];
      if (isChosen) ends = Math.max(ends, at);
    }
  }
  return [begins, ends];
}

/** Boxes as they are opened: parents come first, and children in the order of time. */
class Boxes {
  readonly parent: number[] = [];
  readonly func: number[] = [];
  readonly joined: number[] = [];
  readonly start: number[] = [];
  readonly depth: number[] = [];
  readonly width: number[] = [];
  readonly self: number[] = [];
  readonly texts = new Map<number, string>();
  readonly threadOf = new Map<number, number>();

  open(parent: number, func: number, joined: number, start: number, depth: number): number {
    const { length } = this.parent;
    this.parent.push(parent);
    this.func.push(func);
    this.joined.push(joined);
    this.start.push(start);
    this.depth.push(depth);
    this.width.push(0);
    this.self.push(0);
    return length;
  }

  lane(thread: number, text: string, depth: number, width: number): number {
    const box = this.open(0, -1, 0, 0, depth);
    this.texts.set(box, text);
    this.threadOf.set(box, thread);
    this.width[box] = width;
    return box;
  }
}

function addLane(
  payload: FlamePayload,
  joined: Joined,
  choice: Choice,
  depthOf: Int32Array,
  deepest: number,
  lane: ThreadTimeline,
  origin: number,
  width: number,
  top: number,
  boxes: Boxes,
): number {
  const [thread, start, nodes, us] = lane;
  const testOf = tests(lane);
  if (payload.tests.length > 1) top = addTests(payload, choice, lane, testOf, origin, width, top, boxes);
  const head = boxes.lane(thread, payload.threads[thread], top, width);
  const openBox = [head];
  const openNode = [0];
  const added: number[] = [];
  let at = start - origin;
  let bottom = top;
  for (let i = 0; i < nodes.length; i++) {
    let leaf = choice.test < 0 || testOf[i] === choice.test ? joined.nodeOf[nodes[i]] : 0;
    while (depthOf[leaf] > deepest) leaf = joined.parent[leaf];
    added.length = 0;
    let node = leaf;
    for (; openNode[depthOf[node]] !== node; node = joined.parent[node]) added.push(node);
    for (let depth = depthOf[node] + 1; depth < openBox.length; depth++) close(boxes, openBox[depth], at);
    openBox.length = openNode.length = depthOf[node] + 1;
    for (let k = added.length - 1; k >= 0; k--) {
      const depth = openBox.length;
      openBox.push(boxes.open(openBox[depth - 1], joined.func[added[k]], added[k], at, top + depth));
      openNode.push(added[k]);
      bottom = Math.max(bottom, top + depth);
    }
    at += us[i];
    if (leaf) boxes.self[openBox[openBox.length - 1]] += spent(lane, i, choice.clock);
  }
  for (let depth = 1; depth < openBox.length; depth++) close(boxes, openBox[depth], at);
  return bottom + 1;
}

/** A lane with a box for each test while it ran. */
function addTests(
  payload: FlamePayload,
  choice: Choice,
  lane: ThreadTimeline,
  testOf: Int32Array,
  origin: number,
  width: number,
  top: number,
  boxes: Boxes,
): number {
  const [, start, nodes, us] = lane;
  let head = 0;
  let box = 0;
  let at = start - origin;
  for (let i = 0; i < nodes.length; i++) {
    const isNew = i === 0 || testOf[i] !== testOf[i - 1];
    const isShown = testOf[i] > 0 && (choice.test < 0 || testOf[i] === choice.test);
    if (isNew && isShown) {
      head ||= boxes.lane(lane[0], `Tests of ${payload.threads[lane[0]]}`, top, width);
      box = boxes.open(head, -1, 0, at, top + 1);
      boxes.texts.set(box, payload.tests[testOf[i]]);
    }
    at += us[i];
    if (isShown) {
      boxes.width[box] += us[i];
      boxes.self[box] += spent(lane, i, choice.clock);
    }
  }
  return head ? top + 2 : top;
}

function close(boxes: Boxes, box: number, at: number): void {
  boxes.width[box] = at - boxes.start[box];
}

/** The test of each span. */
function tests(lane: ThreadTimeline): Int32Array {
  const found = new Int32Array(lane[2].length);
  let at = 0;
  for (const [test, n] of lane[6]) {
    found.fill(test, at, at + n);
    at += n;
  }
  return found;
}

/** What a span took by a clock; wall time stands for those that are not known here (isInOrder). */
function spent(lane: ThreadTimeline, span: number, clock: Clock): number {
  const us = lane[3][span];
  return clock === "cpu" ? (us * lane[4][span]) / 100 : clock === "gil" ? (us * lane[5][span]) / 100 : us;
}

function busyTime(lane: ThreadTimeline, choice: Choice): number {
  const testOf = tests(lane);
  let sum = 0;
  for (let i = 0; i < testOf.length; i++) {
    if (lane[2][i] && (choice.test < 0 || testOf[i] === choice.test)) {
      sum += spent(lane, i, choice.clock) + 1e-6 * lane[3][i];
    }
  }
  return sum;
}

function depths(parent: ArrayLike<number>): Int32Array {
  const found = new Int32Array(parent.length);
  for (let i = 1; i < found.length; i++) found[i] = found[parent[i]] + 1;
  return found;
}

/** The depth down to which there are no more boxes than a page can hold. */
function depthThatFits(
  lanes: ThreadTimeline[],
  joined: Joined,
  choice: Choice,
  depthOf: Int32Array,
): { depth: number; isCut: boolean } {
  const opened: number[] = [];
  const path = [0];
  for (const lane of lanes) {
    const testOf = tests(lane);
    path.length = 1;
    for (let i = 0; i < testOf.length; i++) {
      const leaf = choice.test < 0 || testOf[i] === choice.test ? joined.nodeOf[lane[2][i]] : 0;
      let node = leaf;
      for (; path[depthOf[node]] !== node; node = joined.parent[node]) {
        opened[depthOf[node]] = (opened[depthOf[node]] ?? 0) + 1;
        path[depthOf[node]] = node;
      }
      path.length = depthOf[leaf] + 1;
    }
  }
  let sum = 0;
  for (let depth = 1; depth < opened.length; depth++) {
    sum += opened[depth] ?? 0;
    if (sum > MAX_BOXES) return { depth: depth - 1, isCut: true };
  }
  return { depth: opened.length, isCut: false };
}

function finish(boxes: Boxes, sums: Tree): Tree {
  const n = boxes.parent.length;
  const parent = Int32Array.from(boxes.parent);
  const self = Float64Array.from(boxes.self);
  const total = self.slice();
  const depth = Int32Array.from(boxes.depth);
  const joined = Int32Array.from(boxes.joined);
  const totalBefore = new Float64Array(n);
  const first = new Int32Array(n + 1);
  let maxDepth = 0;
  for (let i = n - 1; i > 0; i--) {
    total[parent[i]] += total[i];
    first[parent[i] + 1]++;
    maxDepth = Math.max(maxDepth, depth[i]);
  }
  for (let i = 0; i < n; i++) first[i + 1] += first[i];
  const children = new Int32Array(Math.max(n - 1, 0));
  const next = first.slice();
  for (let i = 1; i < n; i++) children[next[parent[i]]++] = i;
  return {
    parent,
    func: Int32Array.from(boxes.func),
    self,
    total,
    totalBefore,
    depth,
    maxDepth,
    width: Float64Array.from(boxes.width),
    start: Float64Array.from(boxes.start),
    first,
    children,
    order: "time",
    texts: boxes.texts,
    joined,
    samples: sums.samples,
    samplesBefore: sums.samplesBefore,
    chance: sums.chance,
    unit: sums.unit,
    unitBefore: sums.unitBefore,
    sum: sums.sum,
    sumBefore: sums.sumBefore,
  };
}

/** Own cost by line node within one box; `timeByLine` adds them up. */
export function costsWithin(payload: FlamePayload, tree: TimeTree, choice: Choice, box: number): Float64Array {
  const found = new Float64Array(payload.nodes[0].length);
  let head = box;
  while (tree.parent[head] > 0) head = tree.parent[head];
  const lane = payload.timeline.threads.find(([thread]) => thread === tree.threadOf.get(head));
  if (!lane) return found;
  const testOf = tests(lane);
  const from = tree.start[box];
  const to = from + tree.width[box];
  let at = lane[1] - tree.begins;
  for (let i = 0; i < lane[2].length && at < to; i++) {
    if (at >= from && lane[2][i] && (choice.test < 0 || testOf[i] === choice.test)) {
      found[lane[2][i]] += spent(lane, i, choice.clock);
    }
    at += lane[3][i];
  }
  return found;
}
