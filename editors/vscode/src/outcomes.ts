// Which tests there are, and what becomes of each, from the file that footfall's plugins for pytest and unittest write: docs/protocol.md
// describes it.

export interface FoundTest {
  test: string;
  path: string;
  line: number | null;
}

/** A file or directory whose tests could not be collected. */
export interface FailedFile {
  error: string;
  path: string;
}

export interface TestOutcome {
  test: string;
  /** Of unittest there is none. */
  path?: string;
  outcome: "passed" | "failed" | "skipped";
  seconds: number;
  message: string;
  failed_path?: string;
  failed_line?: number;
  /** Why the tests of the file or directory `path` are not known: it stands for all of them. */
  error?: string;
}

/** Takes the file as it grows. */
export class LineReader {
  private rest = "";

  /** Return what is on the lines that are complete now. */
  feed(text: string): unknown[] {
    const lines = (this.rest + text).split("\n");
    this.rest = lines.pop() ?? "";
    return lines.map((line) => JSON.parse(line) as unknown);
  }
}
