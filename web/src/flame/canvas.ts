// Drawing the part of a tree that is in view, and finding what is under the pointer. Only frames wider than a third of
// a pixel are visited, so a frame of animation costs what is seen, not what the profile holds.

import { isDark } from "../chrome";
import type { Tree } from "./tree";

export const ROW = 20;
const FONT = "12px ui-sans-serif, system-ui, sans-serif";
const MIN_WIDTH = 0.33;
const MIN_LABEL = 28;
/** Of what happened within so many pixels one stack is drawn. */
const CELL = 2;

export interface View {
  /** In the unit of the tree's clock. */
  from: number;
  to: number;
}

export interface Look {
  color: (node: number) => string;
  label: (node: number) => string;
  isDimmed: (node: number) => boolean;
  isMatch: (node: number) => boolean;
  hovered: number;
  focused: number;
}

export class FlameCanvas {
  readonly element: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private width = 0;
  private height = 0;
  private charWidth = 6.5;

  constructor(element: HTMLCanvasElement) {
    this.element = element;
    this.context = element.getContext("2d") as CanvasRenderingContext2D;
  }

  resize(width: number, height: number): void {
    const ratio = devicePixelRatio || 1;
    this.width = width;
    this.height = height;
    this.element.width = Math.round(width * ratio);
    this.element.height = Math.round(height * ratio);
    this.element.style.width = `${width}px`;
    this.element.style.height = `${height}px`;
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  /** Returns how many frames were drawn. */
  draw(tree: Tree, view: View, scrolled: number, look: Look): number {
    const { context, width, height } = this;
    const dark = isDark();
    context.clearRect(0, 0, width, height);
    context.font = FONT;
    context.textBaseline = "middle";
    this.charWidth = context.measureText("abcdefghijklmnopqrstuvwxyz_.").width / 28;
    const scale = width / (view.to - view.from || 1);
    const ink = "#1c1a17";
    const isTime = tree.order === "time";
    let drawn = 0;
    const todo = [0];
    while (todo.length) {
      const node = todo.pop() as number;
      const x = (tree.start[node] - view.from) * scale;
      const w = tree.width[node] * scale;
      const y = (tree.depth[node] - 1) * ROW - scrolled;
      if (node > 0 && y > -ROW && y < height) {
        const left = Math.max(0, isTime && w < CELL ? Math.floor(x) : x);
        const shown = isTime && w < CELL ? CELL : Math.min(width, x + w) - left;
        const isDimmed = look.isDimmed(node);
        context.globalAlpha = isDimmed ? 0.35 : 1;
        context.fillStyle = look.isMatch(node) ? "hsl(285 62% 68%)" : look.color(node);
        context.fillRect(left, y, Math.max(shown - (w > 3 ? 1 : 0), 0.5), ROW - 1);
        drawn++;
        context.globalAlpha = isDimmed ? 0.8 : 1;
        if (shown > MIN_LABEL) {
          this.drawLabel(look.label(node), left + 4, y + ROW / 2, shown - 8, isDimmed && dark ? "#ddd" : ink);
        }
        context.globalAlpha = 1;
        if (node === look.hovered || node === look.focused) {
          context.strokeStyle = node === look.focused ? (dark ? "#fff" : "#000") : dark ? "#ddd" : "#444";
          context.lineWidth = node === look.focused ? 2 : 1;
          context.strokeRect(left + 0.5, y + 0.5, Math.max(shown - 2, 1), ROW - 2);
        }
      }
      if (y > height) continue;
      if (isTime && node > 0) {
        this.pushInTime(tree, view, scale, node, todo);
        continue;
      }
      for (let i = tree.first[node]; i < tree.first[node + 1]; i++) {
        const child = tree.children[i];
        const wide = tree.width[child] * scale;
        if (wide < MIN_WIDTH) {
          if (tree.order === "heaviest") break; // those that follow are narrower still
          continue;
        }
        const at = (tree.start[child] - view.from) * scale;
        if (at > width) break;
        if (at + wide >= 0) todo.push(child);
      }
    }
    return drawn;
  }

  /**
   * Visit what is in view of a node's children, in a tree of what happened when. Of those that begin in one cell and
   * are narrower, the first stands for all, so that what is drawn goes with the width and not with the length of the run.
   */
  private pushInTime(tree: Tree, view: View, scale: number, node: number, todo: number[]): void {
    const end = tree.first[node + 1];
    let i = this.firstThatEndsAfter(tree, view.from, tree.first[node], end);
    while (i < end) {
      const child = tree.children[i];
      if (tree.start[child] > view.to) break;
      todo.push(child);
      i++;
      if (tree.width[child] * scale < CELL) {
        const next = ((Math.floor((tree.start[child] * scale) / CELL) + 1) * CELL) / scale;
        if (i < end && tree.start[tree.children[i]] < next) i = this.firstThatEndsAfter(tree, next, i, end);
      }
    }
  }

  private firstThatEndsAfter(tree: Tree, at: number, low: number, high: number): number {
    while (low < high) {
      const middle = (low + high) >> 1;
      const child = tree.children[middle];
      if (tree.start[child] + tree.width[child] > at) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  private drawLabel(text: string, x: number, y: number, room: number, ink: string): void {
    const { context } = this;
    const fits = Math.floor(room / this.charWidth);
    if (fits < 3) return;
    context.fillStyle = ink;
    context.fillText(text.length > fits ? `${text.slice(0, fits - 1)}…` : text, x, y);
  }

  /** The node under a point, or 0. */
  find(tree: Tree, view: View, scrolled: number, x: number, y: number): number {
    const depth = Math.floor((y + scrolled) / ROW) + 1;
    const at = view.from + (x / (this.width || 1)) * (view.to - view.from);
    let node = tree.order === "time" ? laneAt(tree, depth) : 0;
    if (node && tree.depth[node] === depth) return node;
    while (tree.depth[node] < depth) {
      let low = tree.first[node];
      let high = tree.first[node + 1] - 1;
      let found = 0;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const child = tree.children[middle];
        if (at < tree.start[child]) high = middle - 1;
        else if (at >= tree.start[child] + tree.width[child]) low = middle + 1;
        else {
          found = child;
          break;
        }
      }
      if (!found) return 0;
      node = found;
    }
    return node;
  }
}

/** The lane that a row is in: of a tree of what happened when, the root's children. */
function laneAt(tree: Tree, depth: number): number {
  let found = 0;
  for (let i = tree.first[0]; i < tree.first[1]; i++) {
    if (tree.depth[tree.children[i]] <= depth) found = tree.children[i];
  }
  return found;
}

/** Ticks of the time that is in view. */
export function drawAxis(element: HTMLCanvasElement, width: number, view: View, begins: number): void {
  const ratio = devicePixelRatio || 1;
  element.width = Math.round(width * ratio);
  element.height = Math.round(ROW * ratio);
  element.style.width = `${width}px`;
  element.style.height = `${ROW}px`;
  const context = element.getContext("2d") as CanvasRenderingContext2D;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.font = FONT;
  context.textBaseline = "middle";
  context.fillStyle = context.strokeStyle = getComputedStyle(element).color;
  const step = tickStep(((view.to - view.from) * 100) / width);
  for (let tick = Math.ceil((view.from + begins) / step) * step; tick <= view.to + begins; tick += step) {
    const x = ((tick - begins - view.from) / (view.to - view.from || 1)) * width;
    context.fillRect(Math.round(x), ROW - 5, 1, 5);
    if (x + 60 < width) context.fillText(tickText(tick, step), x + 3, ROW / 2 - 1);
  }
}

/** The smallest of 1, 2, 5 times a power of ten that is not less; microseconds. */
function tickStep(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= least) as number;
}

export function tickText(us: number, step: number): string {
  const [unit, name] = us >= 1e6 || step >= 1e5 ? [1e6, "s"] : us >= 1e3 || step >= 100 ? [1e3, "ms"] : [1, "µs"];
  const digits = Math.max(0, -Math.floor(Math.log10(step / unit)));
  return `${(us / unit).toLocaleString("en", { minimumFractionDigits: digits, maximumFractionDigits: digits })} ${name}`;
}
