// Marks and times at the lines of the editors that are seen. The editor moves them with the text.
import * as vscode from "vscode";

import { heatOf, marksOf, moverOf, type Edit, type Heat, type LineState, type Mark } from "../marks";
import type { FileCoverage } from "../service/answers";
import { ServiceError } from "../service/client";
import type { Project } from "./project";

const COLORS: Record<LineState | "stale", string> = {
  run: "testing.iconPassed",
  partial: "editorWarning.foreground",
  missing: "testing.iconFailed",
  excluded: "disabledForeground",
  stale: "disabledForeground",
};

export class Decorations implements vscode.Disposable {
  private readonly types = Object.fromEntries(
    Object.entries(COLORS).map(([name, color]) => [
      name,
      vscode.window.createTextEditorDecorationType({
        borderWidth: "0 0 0 1px", // more would touch the text's first letter
        borderStyle: "solid",
        borderColor: new vscode.ThemeColor(color),
        isWholeLine: true,
        overviewRulerColor: name === "missing" ? new vscode.ThemeColor(color) : undefined,
        overviewRulerLane: vscode.OverviewRulerLane.Left,
      }),
    ]),
  ) as Record<LineState | "stale", vscode.TextEditorDecorationType>;
  private readonly heat = vscode.window.createTextEditorDecorationType({
    after: { margin: "0 0 0 2em", color: new vscode.ThemeColor("editorCodeLens.foreground") },
  });
  private readonly note = vscode.window.createTextEditorDecorationType({
    after: { margin: "0 0 0 2em", color: new vscode.ThemeColor(COLORS.stale) },
  });
  private isShown = true;
  /** What the marks of a text are of, and what was edited in it since. */
  private readonly marked = new WeakMap<vscode.TextDocument, { file: FileCoverage; edits: Edit[] }>();

  constructor(
    private readonly projectOf: (uri: vscode.Uri) => Project | undefined,
    private readonly log: vscode.LogOutputChannel,
  ) {}

  async refresh(editor: vscode.TextEditor): Promise<void> {
    const { document } = editor;
    const project = this.projectOf(document.uri);
    if (document.languageId !== "python" || document.uri.scheme !== "file" || project === undefined) return;
    const path = document.uri.fsPath;
    // the answers are about the file, not about a text that was not saved
    if (document.isDirty) return;
    const started = performance.now();
    // the marks need not wait for the times: the profile's first question reads all of it
    let whyUnmarked = "";
    const onError = (error: unknown) => {
      if (error instanceof ServiceError && error.slug === "source-unknown") whyUnmarked = error.message;
    };
    const [coverage, times] = [
      this.isShown ? project.askIfThere("coverage/file", { path, without_conditions: true }, onError) : undefined,
      this.isShown ? project.askIfThere("profile/lines", { path }) : undefined,
    ];
    const file = await coverage;
    if (document.isDirty) return;
    if (file === undefined) this.marked.delete(document);
    else this.marked.set(document, { file, edits: [] });
    this.showMarks(editor, file === undefined ? [] : marksOf(file));
    this.showNote(editor, whyUnmarked);
    this.log.info(`marks of ${path} after ${Math.round(performance.now() - started)} ms`);
    const lines = await times;
    if (!document.isDirty) {
      const leastShare = vscode.workspace.getConfiguration("footfall", document.uri).get("leastShare", 0.005);
      this.showHeat(editor, lines === undefined ? [] : heatOf(lines, leastShare));
    }
    // conditions are only for the mouse over a line, and most of the work
    const whole = file && (await project.askIfThere("coverage/file", { path }));
    const marked = this.marked.get(document);
    if (whole !== undefined && marked !== undefined && marked.file === file) marked.file = whole;
  }

  async refreshAll(): Promise<void> {
    await Promise.all(vscode.window.visibleTextEditors.map((editor) => this.refresh(editor)));
  }

  /** Take note of edits: the editor moves the marks, and what is said of them names lines. */
  noteEdits(document: vscode.TextDocument, edits: readonly Edit[]): void {
    this.marked.get(document)?.edits.push(...edits);
  }

  /** Return what the marks of a line say, of the text as it is now. */
  saidOf(document: vscode.TextDocument, line: number): string[] {
    const marked = this.marked.get(document);
    if (marked === undefined) return [];
    const shown = vscode.window.visibleTextEditors.find((editor) => editor.document === document);
    const text = (at: number) => (at <= document.lineCount ? document.lineAt(at - 1).text : undefined);
    const seen = { text, tabSize: Number(shown?.options?.tabSize) || 4 };
    const marks = marksOf(marked.file, seen, moverOf(marked.edits));
    return marks.filter((mark) => mark.line === line).flatMap((mark) => mark.hover);
  }

  async toggle(): Promise<void> {
    this.isShown = !this.isShown;
    await this.refreshAll();
  }

  dispose(): void {
    for (const type of [...Object.values(this.types), this.heat, this.note]) type.dispose();
  }

  private showMarks(editor: vscode.TextEditor, marks: Mark[]): void {
    for (const [name, type] of Object.entries(this.types)) {
      const own = marks.filter((mark) => (mark.isStale ? "stale" : mark.state) === name);
      editor.setDecorations(
        type,
        own.map((mark) => ({ range: lineRange(mark.line) })),
      );
    }
  }

  private showNote(editor: vscode.TextEditor, text: string): void {
    const shown = { range: lineRange(1), renderOptions: { after: { contentText: text } } };
    editor.setDecorations(this.note, text ? [shown] : []);
  }

  private showHeat(editor: vscode.TextEditor, heat: Heat[]): void {
    const hottest = Math.max(...heat.map((each) => each.totalShare), 1e-9);
    editor.setDecorations(
      this.heat,
      heat.map((each) => ({
        range: lineRange(each.line),
        hoverMessage: each.hover,
        renderOptions: {
          after: { contentText: `${each.text} ${"▇".repeat(Math.ceil((8 * each.totalShare) / hottest))}` },
        },
      })),
    );
  }
}

function lineRange(line: number): vscode.Range {
  return new vscode.Range(line - 1, 0, line - 1, Number.MAX_SAFE_INTEGER);
}
