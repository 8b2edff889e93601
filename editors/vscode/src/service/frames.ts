// Messages in a stream, framed as language servers frame them.

const HEADER_END = "\r\n\r\n";

export function frame(message: unknown): Buffer {
  const text = Buffer.from(JSON.stringify(message), "utf8");
  return Buffer.concat([Buffer.from(`Content-Length: ${text.length}${HEADER_END}`, "ascii"), text]);
}

/** Takes the stream piece by piece. Throws if it is none of a service, after which it can't be read on. */
export class FrameReader {
  private pending: Buffer[] = [];
  private size = 0;
  private wanted = 0;

  *feed(piece: Buffer): Generator<unknown> {
    this.pending.push(piece);
    this.size += piece.length;
    while (this.size >= this.wanted) {
      const all = this.pending.length === 1 ? this.pending[0] : Buffer.concat(this.pending);
      const end = all.indexOf(HEADER_END);
      if (end < 0) {
        this.pending = [all];
        return;
      }
      const found = /^Content-Length: (\d+)$/im.exec(all.toString("ascii", 0, end).replaceAll("\r", ""));
      if (found === null) throw new Error("the service did not answer in its protocol");
      const start = end + HEADER_END.length;
      this.wanted = start + Number(found[1]); // a long message is put together once, when it is all there
      this.pending = [all];
      if (this.size < this.wanted) return;
      const text = all.toString("utf8", start, this.wanted);
      this.pending = [all.subarray(this.wanted)];
      this.size -= this.wanted;
      this.wanted = 0;
      yield JSON.parse(text) as unknown;
      if (this.size === 0) return;
    }
  }
}
