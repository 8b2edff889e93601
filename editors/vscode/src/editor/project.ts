// One folder of the workspace with its service, which is started when something is first asked.
import { dirname } from "node:path";
import * as vscode from "vscode";

import { nearest } from "../marks";
import { OwnDirectory } from "../ownDirectory";
import type { FlamePage, Initialized, Methods } from "../service/answers";
import { Client, ServiceError } from "../service/client";
import { Restarts } from "../service/restarts";
import { interpreterOf } from "./interpreter";

/** What a flame graph shows: the data file, or the profiles and the part that are named. */
export interface FlameOf {
  profile?: string;
  before?: string;
  path?: string;
}

const RESTART = "Restart";

const NOT_INSTALLED = /^footfall is not installed/;

export type Ask = <M extends keyof Methods>(method: M, params: Methods[M][0]) => Promise<Methods[M][1]>;

export class Project implements vscode.Disposable {
  private readonly changed = new vscode.EventEmitter<void>();
  /** There is a new data file. */
  readonly onDataChanged = this.changed.event;
  private client: Promise<Client> | undefined;
  private ofRun: Client | undefined;
  private readonly restarts = new Restarts();
  private restarting: NodeJS.Timeout | undefined;
  private isDisposed = false;
  /** Where our own runs put their data. */
  readonly own: OwnDirectory;
  private dataFile = "";

  constructor(
    readonly folder: vscode.WorkspaceFolder,
    private readonly log: vscode.LogOutputChannel,
  ) {
    this.own = new OwnDirectory(folder.uri.fsPath);
  }

  async ask<M extends keyof Methods>(method: M, params: Methods[M][0]): Promise<Methods[M][1]> {
    this.client ??= this.start();
    try {
      await this.client;
    } catch (error) {
      this.client = undefined; // the next question tries again
      throw error;
    }
    return (await this.client).request(method, params);
  }

  /** Ask for what may well not be there: undefined then, and the reason in the log. */
  async askIfThere<M extends keyof Methods>(
    method: M,
    params: Methods[M][0],
    onError: (error: unknown) => void = () => {},
  ): Promise<Methods[M][1] | undefined> {
    try {
      return await this.ask(method, params);
    } catch (error) {
      onError(error);
      this.log.info(`${method}: ${describe(error)}`);
      return undefined;
    }
  }

  /** Say what to do if the interpreter has no footfall. */
  async whyMissing(): Promise<string | undefined> {
    const said = await this.ask("coverage/stale", { paths: [] }).then(() => "", describe);
    return NOT_INSTALLED.test(said) ? said : undefined;
  }

  /** Return the page of a flame graph; of profiles that may be anywhere: the user chose them. */
  async flame(of: FlameOf): Promise<FlamePage> {
    const question = { page: true, links: true, ...of } as const;
    const chosen = [of.profile, of.before].filter((path) => path !== undefined);
    if (chosen.length === 0) return this.ask("profile/flame", question);
    const client = await this.newClient(...chosen.flatMap((path) => ["--allow", dirname(path)]));
    try {
      await initialized(client);
      return await client.request("profile/flame", question);
    } finally {
      client.dispose();
    }
  }

  /** Where the project's data is, as far as the service has said. */
  async dataPath(): Promise<string> {
    await this.askIfThere("coverage/stale", { paths: [] });
    return this.dataFile;
  }

  /** Return what asks about a data file that is not the project's: that of the last run of some tests. */
  async askOfRun(dataFile: string): Promise<Ask> {
    this.ofRun?.dispose();
    const client = await this.newClient("--data-file", dataFile);
    this.ofRun = client;
    await initialized(client);
    return (method, params) => client.request(method, params);
  }

  /** Ask the service of the interpreter that is set now. */
  changeInterpreter(): void {
    const before = this.client;
    this.client = undefined;
    void before?.then(
      (client) => client.dispose(),
      () => {},
    );
    this.changed.fire();
  }

  dispose(): void {
    this.isDisposed = true;
    clearTimeout(this.restarting);
    this.own.dispose();
    this.changed.dispose();
    this.ofRun?.dispose();
    void this.client?.then(
      (client) => client.dispose(),
      () => {},
    );
  }

  private async start(): Promise<Client> {
    const client = await this.newClient();
    client.onDataChanged = (dataFile) => {
      this.dataFile = dataFile;
      this.changed.fire();
    };
    let isReady = false;
    client.onEnded = (reason) => {
      this.log.warn(`The service of ${this.folder.name} has ended: ${reason}`);
      this.client = undefined; // a question meanwhile starts another
      if (isReady) this.restartLater(reason);
    };
    const { server, data_file } = await initialized(client);
    isReady = true;
    this.dataFile = data_file;
    this.log.info(`${server.name} ${server.version} of ${client.command[0]}, data ${data_file}`);
    return client;
  }

  /** Start the service again, so that marks come back; if it ends again and again, less and less often, and it is said. */
  private restartLater(reason: string): void {
    const { waitMs, isToBeSaid } = this.restarts.next(Date.now());
    clearTimeout(this.restarting);
    this.restarting = setTimeout(() => void this.restart(), waitMs);
    if (!isToBeSaid) return;
    const text = `footfall: The service of ${this.folder.name} ends again and again: ${reason}`;
    void vscode.window.showWarningMessage(text, RESTART).then((chosen) => {
      if (chosen !== RESTART) return;
      this.restarts.forget();
      return this.restart();
    });
  }

  private async restart(): Promise<void> {
    clearTimeout(this.restarting);
    if (this.isDisposed) return;
    try {
      await this.ask("coverage/stale", { paths: [] });
    } catch (error) {
      // one that has answered with an error is there
      if (!(error instanceof ServiceError) && !this.isDisposed) return this.restartLater(describe(error));
    }
    this.changed.fire();
  }

  private async newClient(...options: string[]): Promise<Client> {
    const python = await interpreterOf(this.folder);
    return new Client([python, "-m", "footfall", "serve", "--stdio", ...options], this.folder.uri.fsPath);
  }
}

/** Open the connection. A missing footfall is what a new user meets first, so the error says what to do. */
async function initialized(client: Client): Promise<Initialized> {
  try {
    return await client.initialize();
  } catch (error) {
    const [python] = client.command;
    if (!/No module named '?footfall/.test(describe(error))) throw error;
    const help = `Run: ${python} -m pip install footfall; or name another interpreter in the setting footfall.python.`;
    throw new Error(`footfall is not installed for ${python}. ${help}`);
  }
}

/** Return what tells a folder from the others of the workspace, if there are others. */
export function inFolder(project: Project): string {
  return (vscode.workspace.workspaceFolders ?? []).length > 1 ? ` (${project.folder.name})` : "";
}

export function describe(error: unknown): string {
  if (error instanceof ServiceError) return error.help ? `${error.message} ${error.help}` : error.message;
  return error instanceof Error ? error.message : String(error);
}

/** Open a file at a line of the text that was measured, wherever that is now. */
export async function openMeasured(project: Project, path: string, line: number): Promise<void> {
  const state =
    (await project.askIfThere("profile/lines", { path })) ?? // of data without a profile there are the marks' lines
    (await project.askIfThere("coverage/file", { path, only_lines: true }));
  await openAt(path, state === undefined ? line : nearest(state, line));
}

export async function openAt(path: string, line: number): Promise<void> {
  const place = new vscode.Range(Math.max(line, 1) - 1, 0, Math.max(line, 1) - 1, 0);
  const options = { selection: place, viewColumn: vscode.ViewColumn.One };
  await vscode.window.showTextDocument(vscode.Uri.file(path), options);
}
