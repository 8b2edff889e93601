// Numbers as people read them.

import type { Numbers } from "./payload";

export function percent(part: number, digits = 1): string {
  return `${(100 * part).toFixed(digits)}%`;
}

export function seconds(us: number): string {
  if (us >= 10_000_000) return `${(us / 1e6).toFixed(1)} s`;
  if (us >= 1_000_000) return `${(us / 1e6).toFixed(2)} s`;
  if (us >= 10_000) return `${Math.round(us / 1e3)} ms`;
  if (us >= 1_000) return `${(us / 1e3).toFixed(1)} ms`;
  return us ? `${us} µs` : "0";
}

export function count(n: number, noun: string, nouns = `${noun}s`): string {
  return `${n.toLocaleString("en")} ${n === 1 ? noun : nouns}`;
}

/** The part of statements and branches that ran, 0 to 1; 1 where there are none. */
export function covered(n: Pick<Numbers, "statements" | "missing" | "branches" | "missingBranches">): number {
  const all = n.statements + n.branches;
  return all ? (all - n.missing - n.missingBranches) / all : 1;
}

/** A coverage percentage that says 100 or 0 only where it is so, as coverage.py rounds. */
export function coveredText(part: number, digits: number): string {
  const value = 100 * part;
  const step = 10 ** -digits;
  const rounded = Number(value.toFixed(digits));
  if (rounded >= 100 && value < 100) return `${(100 - step).toFixed(digits)}%`;
  if (rounded <= 0 && value > 0) return `${step.toFixed(digits)}%`;
  return `${value.toFixed(digits)}%`;
}

/** The standard error of a share of n samples (binomial), in parts of one. */
export function standardError(share: number, n: number): number {
  return n > 0 ? Math.sqrt((share * (1 - share)) / n) : 0;
}
