// Files as areas: by statements or by time, coloured by coverage, grouped by folder.

import { hierarchy, treemap, treemapSquarify } from "d3-hierarchy";
import { coverageColor } from "./colors";
import { svg } from "./dom";

export interface Area {
  name: string;
  href: string;
  size: number;
  covered: number;
  title: string;
}

interface Folder {
  name: string;
  area?: Area;
  folders: Map<string, Folder>;
}

const MAX_WIDTH = 1160;
const HEIGHT = 340;
const MIN_LABEL_WIDTH = 54;

/** `room` is how many pixels wide it will be shown, so that names are as large as they are meant to be. */
export function drawTreemap(areas: Area[], label: string, room: number): SVGElement {
  const wide = Math.max(240, Math.min(MAX_WIDTH, room));
  const top = toFolders(areas.filter((each) => each.size > 0));
  const tree = hierarchy(top, (folder) => (folder.area ? undefined : [...folder.folders.values()]))
    .sum((folder) => folder.area?.size ?? 0)
    .sort((a, b) => (b.value ?? 0) - (a.value ?? 0));
  const placed = treemap<Folder>()
    .size([wide, HEIGHT])
    .paddingInner(1)
    .paddingTop((node) => (node.depth && node.children ? 15 : 0))
    .tile(treemapSquarify)(tree);
  const picture = svg("svg", {
    viewBox: `0 0 ${wide} ${HEIGHT}`,
    class: "treemap",
    role: "group",
    "aria-label": label,
  });
  for (const node of placed.descendants()) {
    const [width, height] = [node.x1 - node.x0, node.y1 - node.y0];
    if (width < 1 || height < 1) continue;
    const area = node.data.area;
    if (!area) {
      if (node.depth && width > MIN_LABEL_WIDTH) {
        picture.append(text(node.x0 + 3, node.y0 + 11, fit(node.data.name, width), "folder"));
      }
      continue;
    }
    const link = svg(
      "a",
      { href: area.href, "aria-label": `${area.name}, ${area.title}` },
      svg("title", {}, `${area.name}\n${area.title}`),
      svg("rect", { x: node.x0, y: node.y0, width, height, fill: coverageColor(area.covered) }),
    );
    if (width > MIN_LABEL_WIDTH && height > 16) {
      link.append(text(node.x0 + 4, node.y0 + 13, fit(node.data.name, width), "file"));
    }
    picture.append(link);
  }
  return picture;
}

function toFolders(areas: Area[]): Folder {
  const top: Folder = { name: "", folders: new Map() };
  for (const area of areas) {
    let at = top;
    const parts = area.name.split("/");
    parts.forEach((part, i) => {
      const key = i === parts.length - 1 ? `f:${part}` : `d:${part}`;
      let next = at.folders.get(key);
      if (!next) at.folders.set(key, (next = { name: part, folders: new Map() }));
      at = next;
    });
    at.area = area;
  }
  return joinSingle(top);
}

/** Join a folder with its only folder: src/package is one step. */
function joinSingle(folder: Folder): Folder {
  for (const [key, child] of folder.folders) folder.folders.set(key, joinSingle(child));
  const only = [...folder.folders.values()];
  if (only.length === 1 && !only[0].area) {
    return { ...only[0], name: folder.name ? `${folder.name}/${only[0].name}` : only[0].name };
  }
  return folder;
}

function text(x: number, y: number, value: string, kind: string): SVGElement {
  return svg("text", { x, y, class: kind }, value);
}

function fit(value: string, width: number): string {
  const room = Math.floor((width - 6) / 6.2);
  return value.length > room ? `${value.slice(0, Math.max(1, room - 1))}…` : value;
}
