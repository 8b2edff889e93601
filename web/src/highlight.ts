// Python source to pieces with a class each, line by line. The whole text is parsed, so that strings of several lines
// come out right; a page is highlighted when it is opened and costs the report nothing.

import { classHighlighter, highlightTree } from "@lezer/highlight";
import { parser } from "@lezer/python";

export type Piece = [text: string, classes: string];

export function highlightLines(text: string): Piece[][] {
  const lines: Piece[][] = [[]];
  const add = (piece: string, classes: string) => {
    const parts = piece.split("\n");
    parts.forEach((part, i) => {
      if (i) lines.push([]);
      if (part) lines[lines.length - 1].push([part, classes]);
    });
  };
  let at = 0;
  highlightTree(parser.parse(text), classHighlighter, (from, to, classes) => {
    if (from > at) add(text.slice(at, from), "");
    add(text.slice(from, to), classes);
    at = to;
  });
  add(text.slice(at), "");
  return lines;
}
