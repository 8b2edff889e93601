// What became of each test, from the summary that pytest prints with `-rA` or the like.

export type Outcome = "passed" | "failed";

const WORDS: Record<string, Outcome> = {
  PASSED: "passed",
  XPASS: "passed",
  XFAIL: "passed",
  FAILED: "failed",
  ERROR: "failed",
};

/** Ask pytest for one line for each test; that of skipped tests says where they are, not their names. */
export const SUMMARY_OPTIONS = ["-rpfExXs", "--color=no"];

export interface TestOutcome {
  name: string;
  outcome: Outcome;
  message: string;
}

/** Return the outcomes in the order of the summary. A test that failed twice, such as in its teardown, is there twice. */
export function outcomesOf(output: string): TestOutcome[] {
  const found: TestOutcome[] = [];
  for (const line of output.split(/\r?\n/)) {
    const [, word, name, message] = /^([A-Z]+) ([^\s:]+\.py::[^[]*?(?:\[.*?\])?)(?: - (.*))?$/.exec(line) ?? [];
    if (word in WORDS) found.push({ name, outcome: WORDS[word], message: message ?? "" });
  }
  return found;
}

/** Return whether tests were skipped: then a test without an outcome is one of them. */
export function hasSkipped(output: string): boolean {
  return /^SKIPPED \[\d+\] /m.test(output);
}
