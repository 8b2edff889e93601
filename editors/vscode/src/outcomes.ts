// What became of each test, from the summary that pytest prints with `-rA` or the like.

export type Outcome = "passed" | "failed" | "skipped";

const WORDS: Record<string, Outcome> = {
  PASSED: "passed",
  XPASS: "passed",
  XFAIL: "passed",
  FAILED: "failed",
  ERROR: "failed",
};

/** Ask pytest for one line for each of these tests; a skipped test has none with its name. */
export const SUMMARY_OPTIONS = ["-rpfExX", "--color=no"];

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
