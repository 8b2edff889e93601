// As much of the editor's API as the extension calls, to see what it asks of it. Types are checked against the real one.
import { existsSync } from "node:fs";

type Listener = (value: never) => unknown;

const noop = () => {};
const disposable = { dispose: noop };

export class Position {
  constructor(
    readonly line: number,
    readonly character: number,
  ) {}
}

export class Range {
  readonly start: Position;
  readonly end: Position;
  constructor(line: number, character: number, endLine = line, endCharacter = character) {
    this.start = new Position(line, character);
    this.end = new Position(endLine, endCharacter);
  }
}

export class EventEmitter {
  private readonly listeners: Listener[] = [];
  readonly event = (listener: Listener) => {
    this.listeners.push(listener);
    return disposable;
  };
  fire(value: never): void {
    for (const listener of this.listeners) listener(value);
  }
  dispose = noop;
}

export class ThemeColor {
  constructor(readonly id: string) {}
}

export class TreeItem {
  constructor(readonly label: string) {}
}

export class TestCoverageCount {
  constructor(
    readonly covered: number,
    readonly total: number,
  ) {}
}

export class FileCoverage {
  includesTests: TestItem[] = [];
  constructor(
    readonly uri: Uri,
    readonly statementCoverage: TestCoverageCount,
    readonly branchCoverage?: TestCoverageCount,
  ) {}
}

export class StatementCoverage {
  constructor(
    readonly executed: boolean,
    readonly location: Position,
    readonly branches: BranchCoverage[],
  ) {}
}

export class BranchCoverage {
  constructor(
    readonly executed: boolean,
    readonly location: undefined,
    readonly label: string,
  ) {}
}

export class DeclarationCoverage {
  constructor(
    readonly name: string,
    readonly executed: boolean,
    readonly location: Position,
  ) {}
}

export class Location {
  constructor(
    readonly uri: Uri,
    readonly range: Position,
  ) {}
}

export class TestMessage {
  location?: Location;
  constructor(readonly message: string) {}
}

export class Uri {
  constructor(readonly fsPath: string) {}
  readonly scheme = "file";
  static file(path: string): Uri {
    return new Uri(path);
  }
  toString(): string {
    return `file://${this.fsPath}`;
  }
}

export class TestRunRequest {
  constructor(readonly include?: readonly TestItem[]) {}
}

export class RelativePattern {}

export class MarkdownString {
  isTrusted?: object;
  constructor(public value = "") {}
  appendMarkdown(text: string): this {
    this.value += text;
    return this;
  }
  appendText = (text: string) => this.appendMarkdown(text);
}

export class Hover {
  constructor(readonly contents: MarkdownString[]) {}
}

interface HoverProvider {
  provideHover(document: unknown, position: Position): Promise<Hover | undefined>;
}

class Items {
  private readonly all = new Map<string, TestItem>();
  get = (id: string) => this.all.get(id);
  delete = (id: string) => this.all.delete(id);
  add = (item: TestItem) => this.all.set(item.id, item);
  get size(): number {
    return this.all.size;
  }
  replace(items: TestItem[]): void {
    this.all.clear();
    items.forEach(this.add);
  }
  [Symbol.iterator] = () => this.all[Symbol.iterator]();
}

export class TestItem {
  parent?: TestItem;
  range?: Range;
  error?: string;
  readonly children = new Items();
  constructor(
    readonly id: string,
    readonly label: string,
    readonly uri: Uri,
  ) {
    const add = this.children.add;
    this.children.add = (item) => add(Object.assign(item, { parent: this }));
  }
}

export const ProgressLocation = { Notification: 15 };
export const OverviewRulerLane = { Left: 1 };
export const ViewColumn = { One: 1, Beside: -2 };
export const TestRunProfileKind = { Coverage: 3 };

interface Controller {
  items: Items;
  /** Set by the extension. */
  resolveHandler?: (item: TestItem) => Promise<void>;
  [method: string]: unknown;
}

/** What the extension was given or has made, for the test to look at. */
export const seen = {
  folder: { uri: new Uri("/"), name: "project", index: 0 },
  settings: {} as Record<string, unknown>,
  commands: new Map<string, () => Promise<unknown>>(),
  errors: [] as string[],
  warnings: [] as string[],
  /** What the user answers to a warning. */
  answer: undefined as string | undefined,
  /** Further folders of the workspace. */
  others: [] as { uri: Uri; name: string; index: number }[],
  /** Where dialogs that open a file begin. */
  dialogs: [] as (string | undefined)[],
  picked: [] as string[],
  /** What the user picks. */
  pick: undefined as string | undefined,
  /** How often all texts were saved. */
  saves: 0,
  /** What was typed into terminals. */
  typed: [] as string[],
  opened: [] as { path: string; line: number }[],
  tree: undefined as unknown,
  panel: undefined as unknown,
  hovers: undefined as HoverProvider | undefined,
  runProfile: undefined as unknown,
  controller: undefined as Controller | undefined,
  coverage: [] as FileCoverage[],
  outcomes: [] as [string, string][],
  /** Of texts. */
  changes: new EventEmitter(),
  /** Of test runs. */
  output: [] as string[],
};

export const workspace = {
  get workspaceFolders() {
    return [seen.folder, ...seen.others];
  },
  getWorkspaceFolder: () => seen.folder,
  getConfiguration: () => ({ get: (name: string, otherwise: unknown) => seen.settings[name] ?? otherwise }),
  textDocuments: [] as { isDirty: boolean; isUntitled?: boolean }[],
  /** As the editor does while it saves by itself. */
  saveAll(): Promise<boolean> {
    if (++seen.saves > 1) this.textDocuments.length = 0;
    return Promise.resolve(false);
  },
  findFiles: () => Promise.resolve([]),
  onDidSaveTextDocument: () => disposable,
  onDidChangeTextDocument: (listener: Listener) => {
    seen.changes.event(listener);
    return disposable;
  },
  onDidChangeConfiguration: () => disposable,
  onDidChangeWorkspaceFolders: () => disposable,
};

export const extensions = { getExtension: () => undefined };

export class TabInputWebview {}

export const window = {
  tabGroups: { all: [] },
  visibleTextEditors: [] as unknown[],
  activeTextEditor: undefined as unknown,
  createOutputChannel: () => ({ info: noop, warn: noop, dispose: noop }),
  createTextEditorDecorationType: (options: object) => ({ ...options, dispose: noop }),
  onDidChangeVisibleTextEditors: () => disposable,
  registerTreeDataProvider: (_id: string, provider: unknown) => {
    seen.tree = provider;
    return disposable;
  },
  createWebviewPanel: () => {
    const messages = new EventEmitter();
    seen.panel = {
      dispose: noop,
      onDidDispose: noop,
      webview: { html: "", onDidReceiveMessage: messages.event, messages },
    };
    return seen.panel;
  },
  showTextDocument: (uri: Uri, options: { selection: Range }) => {
    if (!existsSync(uri.fsPath)) return Promise.reject(new Error(`There is no ${uri.fsPath}`));
    seen.opened.push({ path: uri.fsPath, line: options.selection.start.line + 1 });
    return Promise.resolve();
  },
  showWarningMessage: (text: string) => {
    seen.warnings.push(text);
    return Promise.resolve(seen.answer);
  },
  showOpenDialog: ({ defaultUri }: { defaultUri?: Uri }) => {
    seen.dialogs.push(defaultUri?.fsPath);
    return Promise.resolve(undefined);
  },
  showErrorMessage: (text: string) => seen.errors.push(text),
  showInformationMessage: noop,
  showQuickPick: (items: string[]) => {
    seen.picked.push(...items);
    return Promise.resolve(seen.pick);
  },
  createTerminal: () => ({ show: noop, sendText: (text: string) => seen.typed.push(text) }),
};

export const commands = {
  registerCommand: (name: string, run: () => Promise<unknown>) => {
    seen.commands.set(name, run);
    return disposable;
  },
};

export const languages = {
  registerHoverProvider: (_selector: unknown, provider: HoverProvider) => {
    seen.hovers = provider;
    return disposable;
  },
};

export const tests = {
  createTestController: () =>
    (seen.controller = {
      dispose: noop,
      items: new Items(),
      createTestItem: (id: string, label: string, uri: Uri) => new TestItem(id, label, uri),
      createRunProfile: (label: string, _kind: number, run: unknown) => {
        const profile = { label, run };
        seen.runProfile = profile;
        return profile;
      },
      createTestRun: () => ({
        token: { isCancellationRequested: false, onCancellationRequested: noop },
        started: noop,
        appendOutput: (text: string) => seen.output.push(text),
        passed: (item: TestItem) => seen.outcomes.push([item.label, "passed"]),
        failed: (item: TestItem, message: TestMessage | []) => {
          const at = "location" in message ? message.location?.range.line : undefined;
          seen.outcomes.push([item.label, at === undefined ? "failed" : `failed at line ${at + 1}`]);
        },
        errored: (item: TestItem, message: TestMessage) => seen.outcomes.push([item.label, message.message]),
        skipped: (item: TestItem) => seen.outcomes.push([item.label, "skipped"]),
        addCoverage: (file: FileCoverage) => seen.coverage.push(file),
        end: noop,
      }),
    }),
};
