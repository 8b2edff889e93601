// Drawing the part of a tree that is in view, and finding what is under the pointer. Only frames wider than a third of
// a pixel are visited, so a frame of animation costs what is seen, not what the profile holds.

import { isDark } from "../chrome";
import type { Tree } from "./tree";

export const ROW = 20;
const FONT = "12px ui-sans-serif, system-ui, sans-serif";
const MIN_WIDTH = 0.33;
const MIN_LABEL = 28;

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
    let drawn = 0;
    const todo = [0];
    while (todo.length) {
      const node = todo.pop() as number;
      const x = (tree.start[node] - view.from) * scale;
      const w = tree.total[node] * scale;
      const y = (tree.depth[node] - 1) * ROW - scrolled;
      if (node > 0 && y > -ROW && y < height) {
        const left = Math.max(0, x);
        const shown = Math.min(width, x + w) - left;
        context.globalAlpha = look.isDimmed(node) ? 0.28 : 1;
        context.fillStyle = look.isMatch(node) ? "hsl(285 62% 68%)" : look.color(node);
        context.fillRect(left, y, Math.max(shown - (w > 3 ? 1 : 0), 0.5), ROW - 1);
        drawn++;
        if (shown > MIN_LABEL) this.drawLabel(look.label(node), left + 4, y + ROW / 2, shown - 8, ink);
        context.globalAlpha = 1;
        if (node === look.hovered || node === look.focused) {
          context.strokeStyle = node === look.focused ? (dark ? "#fff" : "#000") : dark ? "#ddd" : "#444";
          context.lineWidth = node === look.focused ? 2 : 1;
          context.strokeRect(left + 0.5, y + 0.5, Math.max(shown - 2, 1), ROW - 2);
        }
      }
      if (y > height) continue;
      for (let i = tree.first[node]; i < tree.first[node + 1]; i++) {
        const child = tree.children[i];
        const wide = tree.total[child] * scale;
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
    let node = 0;
    while (tree.depth[node] < depth) {
      let low = tree.first[node];
      let high = tree.first[node + 1] - 1;
      let found = 0;
      while (low <= high) {
        const middle = (low + high) >> 1;
        const child = tree.children[middle];
        if (at < tree.start[child]) high = middle - 1;
        else if (at >= tree.start[child] + tree.total[child]) low = middle + 1;
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
