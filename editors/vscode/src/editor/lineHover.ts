// What is said of a line under the mouse: where its branches did not go, and the tests that ran it, with a link that runs only these.
import * as vscode from "vscode";

import type { Decorations } from "./decorations";
import type { Project } from "./project";

const MOST_SHOWN = 5;
const RUN_TESTS = "footfall.runTestsOfLine";

export class LineHover implements vscode.HoverProvider {
  constructor(
    private readonly projectOf: (uri: vscode.Uri) => Project | undefined,
    private readonly decorations: Decorations,
  ) {}

  async provideHover(document: vscode.TextDocument, position: vscode.Position): Promise<vscode.Hover | undefined> {
    const line = position.line + 1;
    const said = this.decorations.saidOf(document, line).map((text) => new vscode.MarkdownString(escaped(text)));
    const tests = await this.testsOf(document, line);
    const contents = tests === undefined ? said : [...said, tests];
    return contents.length > 0 ? new vscode.Hover(contents) : undefined;
  }

  private async testsOf(document: vscode.TextDocument, line: number): Promise<vscode.MarkdownString | undefined> {
    const project = this.projectOf(document.uri);
    // the answer is about the file, not about a text that was not saved
    if (project === undefined || document.isDirty || document.uri.scheme !== "file") return undefined;
    const found = await project.askIfThere("tests/of_line", { path: document.uri.fsPath, line, count: MOST_SHOWN });
    if (found === undefined || found.tests.length === 0) return undefined;
    const text = new vscode.MarkdownString();
    text.isTrusted = { enabledCommands: [RUN_TESTS] };
    const { n_tests: n } = found;
    const argument = encodeURIComponent(JSON.stringify([document.uri.toString(), line]));
    text.appendMarkdown(
      `Run by ${n} ${n === 1 ? "test" : "tests"} · [Run only these tests](command:${RUN_TESTS}?${argument})`,
    );
    for (const name of found.tests) text.appendMarkdown("\n- ").appendText(name);
    if (n > found.tests.length) text.appendMarkdown(`\n- and ${n - found.tests.length} more`);
    return text;
  }
}

/** Code as it is: `appendText` would make its spaces ones at which no line is broken. */
function escaped(text: string): string {
  return text.replace(/[!-/:-@[-`{-~]/g, "\\$&");
}
