// From the service's answers to marks at lines of the text as it is now. Knows nothing of an editor; lines count from 1.
import type { Condition, FileCoverage, LineTimes, SourceState } from "./service/answers";

export type LineState = "run" | "partial" | "missing" | "excluded";

export interface Mark {
  line: number;
  state: LineState;
  isStale: boolean;
  /** What is said when the mouse is over the line. */
  hover: string[];
}

export interface Heat {
  line: number;
  totalShare: number;
  /** Short, since an editor beside a flame graph is narrow. */
  text: string;
  hover: string;
}

/** Return a function from measured lines to lines now; undefined for those that changed. */
export function mover(state: SourceState): Move {
  if (state.is_stale !== true) return (line) => line;
  const blocks = state.unchanged ?? [];
  return (line) => {
    const block = blocks.find(([first, , count]) => line >= first && line < first + count);
    return block && line - block[0] + block[1];
  };
}

/** Return where a measured line is now; of one that changed, where the unchanged lines above it end. */
export function nearest(state: SourceState, line: number): number {
  const at = mover(state)(line);
  if (at !== undefined) return at;
  const above = (state.unchanged ?? []).filter(([first]) => first < line).at(-1);
  return above === undefined ? 1 : above[1] + above[2];
}

/** Where a line is now; undefined if it changed. */
export type Move = (line: number) => number | undefined;

/** An edit as the editor has it: lines count from 0, and the positions are of the text before it. */
export interface Edit {
  range: { start: { line: number; character: number }; end: { line: number; character: number } };
  text: string;
}

/** Return where the lines of a text are after edits, each of which is of the text that the ones before it left. */
export function moverOf(edits: readonly Edit[]): Move {
  return (line) => edits.reduce<number | undefined>((at, edit) => at && movedBy(edit, at - 1), line);
}

/** Return the number of a line, which is given from 0, after one edit. */
function movedBy({ range: { start, end }, text }: Edit, line: number): number | undefined {
  if (line < start.line) return line + 1;
  // what is left of the edit's last line is all of it if whole lines were put before it or taken away
  const isWhole = end.character === 0 && (text.endsWith("\n") || (text === "" && start.character === 0));
  if (line < end.line || (line === end.line && !isWhole)) return undefined;
  return line + text.split("\n").length - (end.line - start.line);
}

/** Return a text about lines with their numbers now; if one of them changed, it says that the numbers are of the older text. */
function retold(text: string, now: Move): string {
  let isOlder = false;
  const moved = text.replace(/\bline (\d+)/g, (_all, line: string) => {
    const at = now(Number(line));
    isOlder ||= at === undefined;
    return `line ${at}`;
  });
  return isOlder ? `As measured: ${text}` : moved;
}

/** The text that is seen, for columns in it. */
export interface Seen {
  /** The text of a line; undefined if there is none. */
  text: (line: number) => string | undefined;
  tabSize: number;
}

/** Return the marks of a file, with the later lines of statements, in no particular order; `edited` is what happened since. */
export function marksOf(file: FileCoverage, seen?: Seen, edited: Move = (line) => line): Mark[] {
  const moved = mover(file);
  const now = (line: number) => {
    const at = moved(line);
    return at && edited(at);
  };
  const { coverage } = file;
  const states = new Map<number, LineState>();
  for (const line of coverage.executed_lines) states.set(line, "run");
  for (const line of coverage.missing_lines) states.set(line, "missing");
  for (const line of coverage.excluded_lines) states.set(line, "excluded");
  const hovers = new Map<number, string[]>();
  const say = (line: number, text: string) => hovers.set(line, [...(hovers.get(line) ?? []), text]);
  for (const [line, ways] of Object.entries(file.branches)) {
    for (const way of ways) {
      if (way.taken) continue;
      states.set(Number(line), "partial");
      const text = way.text || (way.to > 0 ? `never went to line ${way.to}` : "never left here");
      say(Number(line), retold(text, now));
    }
  }
  for (const each of file.conditions?.missing ?? []) {
    if (states.get(each.line) !== "missing")
      say(each.line, `${each.text} (${columnsOf(each, seen, now)}) was never ${each.never}`);
  }
  const last = new Map(file.statements);
  const marks: Mark[] = [];
  for (const [first, state] of states) {
    for (let line = first; line <= (last.get(first) ?? first); line++) {
      const at = now(line);
      if (at === undefined || (line > first && states.has(line))) continue;
      marks.push({ line: at, state, isStale: file.is_stale === true, hover: hovers.get(first) ?? [] });
    }
  }
  return marks;
}

/** Where a condition is in its line, which may have the same text twice: as the editor shows the place of the cursor. */
function columnsOf(condition: Condition, seen: Seen | undefined, now: Move): string {
  const { line, column, end_line: endLine, end_column: endColumn } = condition;
  const at = now(line);
  const text = at === undefined ? undefined : seen?.text(at);
  const shown = (count: number) =>
    seen === undefined || text === undefined ? count : shownColumn(text, count, seen.tabSize);
  const first = shown(column) + 1;
  if (endLine > line) return `from column ${first} on`;
  const last = shown(endColumn - 1) + 1;
  return first === last ? `column ${first}` : `columns ${first} to ${last}`;
}

/** Return the column, from 0, after some characters: the editor's status bar counts characters too, and tabs up to their stops. */
function shownColumn(text: string, count: number, tabSize: number): number {
  let column = 0;
  for (const character of [...text].slice(0, count)) {
    column += character === "\t" ? tabSize - (column % tabSize) : 1;
  }
  return column;
}

/** Return the time of the lines that have at least this part of all time. */
export function heatOf(times: LineTimes, leastShare: number): Heat[] {
  const now = mover(times);
  const found: Heat[] = [];
  for (const [measured, { own_share: ownShare, total_share: totalShare }] of Object.entries(times.lines)) {
    const line = now(Number(measured));
    if (line === undefined || totalShare < leastShare) continue;
    const [total, own] = [percent(totalShare), percent(ownShare)];
    const hover = `${total} of the time was spent in this line and what it calls, ${own} in its own code`;
    found.push({ line, totalShare, text: `${total}, own ${own}`, hover });
  }
  return found;
}

export function percent(share: number): string {
  const digits = share < 0.0995 ? 1 : 0;
  return `${(100 * share).toFixed(digits)} %`;
}
