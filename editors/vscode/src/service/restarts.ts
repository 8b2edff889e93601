// When a service that has ended is started again: soon, then less and less often. One that has run for a while begins anew.

const FIRST_MS = 500;
const LONGEST_MS = 60_000;
/** So many ends in a row are said to the user. */
const MANY = 3;

export class Restarts {
  private ends = 0;
  private lastEnd = -Infinity;

  /** Note that the service has ended; `now` is in milliseconds. */
  next(now: number): { waitMs: number; isToBeSaid: boolean } {
    if (now - this.lastEnd > 2 * LONGEST_MS) this.ends = 0;
    this.lastEnd = now;
    const waitMs = Math.min(LONGEST_MS, FIRST_MS * 4 ** this.ends++);
    return { waitMs, isToBeSaid: this.ends === MANY };
  }

  /** The user asked for a start, so that there is one at once. */
  forget(): void {
    this.ends = 0;
  }
}
