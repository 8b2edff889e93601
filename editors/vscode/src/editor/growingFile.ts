// A file in a directory of its own, which another program writes and we read as it grows.
import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { StringDecoder } from "node:string_decoder";

import { LineReader } from "../outcomes";

const AT_ONCE = 1 << 16;

export class GrowingFile {
  readonly path = join(mkdtempSync(join(tmpdir(), "footfall-")), "tests.jsonl");
  private readonly lines = new LineReader();
  private readonly decoder = new StringDecoder("utf8");
  private position = 0;

  /** Return what was added since the last call; nothing before the file is there. */
  read(): unknown[] {
    const piece = Buffer.alloc(AT_ONCE);
    const found: unknown[] = [];
    let file: number;
    try {
      file = openSync(this.path, "r");
    } catch {
      return [];
    }
    try {
      for (let n; (n = readSync(file, piece, 0, AT_ONCE, this.position)) > 0; this.position += n) {
        found.push(...this.lines.feed(this.decoder.write(piece.subarray(0, n))));
      }
    } finally {
      closeSync(file);
    }
    return found;
  }

  /** Write a file that goes with it, and return its path. */
  beside(name: string, text: string): string {
    const path = join(dirname(this.path), name);
    writeFileSync(path, text);
    return path;
  }

  remove(): void {
    rmSync(dirname(this.path), { recursive: true, force: true });
  }
}
