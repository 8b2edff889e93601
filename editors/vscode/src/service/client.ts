// The client of `footfall serve --stdio`: starts it, asks it, and says when there is new data.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";

import { PROTOCOL_VERSION, type Initialized, type Methods } from "./answers";
import { frame, FrameReader } from "./frames";

/** An error that the service answered with. `slug` names those of footfall. */
export class ServiceError extends Error {
  constructor(
    message: string,
    readonly code: number,
    readonly slug: string,
    readonly help: string,
  ) {
    super(message);
  }
}

interface Waiting {
  resolve: (result: unknown) => void;
  reject: (error: Error) => void;
}

interface Message {
  id?: number;
  method?: string;
  params?: { data_file?: string };
  result?: unknown;
  error?: { code: number; message: string; data?: { slug?: string; help?: string } };
}

export class Client {
  /** Called when the data file was written, replaced or removed. */
  onDataChanged: (dataFile: string) => void = () => {};
  /** Called once, when the service has ended. */
  onEnded: (reason: string) => void = () => {};

  private readonly process: ChildProcessWithoutNullStreams;
  private readonly frames = new FrameReader();
  private readonly waiting = new Map<number, Waiting>();
  private lastId = 0;
  private said = "";
  private ended = "";

  constructor(
    readonly command: readonly string[],
    directory: string,
  ) {
    this.process = spawn(command[0], command.slice(1), { cwd: directory });
    this.process.stdout.on("data", (piece: Buffer) => this.receive(piece));
    this.process.stderr.on("data", (piece: Buffer) => (this.said = (this.said + piece.toString()).slice(-2000)));
    this.process.stdin.on("error", () => {}); // it has ended, which "close" tells
    this.process.on("error", (error) => this.end(`can't start ${command[0]}: ${error.message}`));
    this.process.on("close", (status, signal) => {
      const how = signal === null ? `ended with status ${status}` : `was ended by ${signal}`;
      this.end(this.said.trim() || `the service ${how}`);
    });
  }

  initialize(): Promise<Initialized> {
    return this.request("initialize", { protocol_version: PROTOCOL_VERSION });
  }

  /** Ask. Rejects with a ServiceError, or an Error if the service has ended. */
  request<M extends keyof Methods>(method: M, params: Methods[M][0]): Promise<Methods[M][1]> {
    if (this.ended) return Promise.reject(new Error(this.ended));
    const id = ++this.lastId;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve: resolve as Waiting["resolve"], reject });
      this.process.stdin.write(frame({ jsonrpc: "2.0", id, method, params }));
    });
  }

  dispose(): void {
    this.onEnded = () => {};
    this.process.stdin.end(); // the service ends by itself
  }

  private receive(piece: Buffer): void {
    try {
      for (const message of this.frames.feed(piece)) this.accept(message as Message);
    } catch (error) {
      this.process.kill();
      this.end(String(error));
    }
  }

  private accept(message: Message): void {
    if (message.method === "data/changed") this.onDataChanged(message.params?.data_file ?? "");
    const waiting = this.waiting.get(message.id ?? 0);
    if (waiting === undefined) return;
    this.waiting.delete(message.id as number);
    const { error } = message;
    if (error === undefined) waiting.resolve(message.result);
    else waiting.reject(new ServiceError(error.message, error.code, error.data?.slug ?? "", error.data?.help ?? ""));
  }

  private end(reason: string): void {
    if (this.ended) return;
    this.ended = reason;
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
    this.onEnded(reason);
  }
}
