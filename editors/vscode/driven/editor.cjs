// code-server in a headless Chromium, and what a user does in it. Each action waits for what it leads to.
const { spawn } = require("node:child_process");
const { mkdirSync } = require("node:fs");
const { createServer } = require("node:net");
const { join } = require("node:path");
const { chromium } = require("playwright-core");

const PATIENCE_MS = 120_000;

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

class Editor {
  constructor(page, browser, server, shots) {
    Object.assign(this, { page, browser, server, shots });
  }

  /** Start on a folder, with the extensions and user data that are in `work`. */
  static async start(home, work, folder) {
    const port = await freePort();
    const entry = join(home, "node_modules", "code-server", "out", "node", "entry.js");
    const directories = ["--user-data-dir", join(work, "data"), "--extensions-dir", join(work, "extensions")];
    const quiet = ["--disable-telemetry", "--disable-update-check", "--disable-workspace-trust"];
    const address = ["--auth", "none", "--bind-addr", `127.0.0.1:${port}`];
    const config = ["--config", join(work, "code-server.yaml")];
    const server = spawn(process.execPath, [entry, ...config, ...directories, ...quiet, ...address, folder]);
    let said = "";
    await new Promise((resolve, reject) => {
      server.once("close", (status) => reject(new Error(`code-server ended with status ${status}: ${said}`)));
      const hear = (text) => {
        said += text;
        if (said.includes("HTTP server listening")) resolve();
      };
      server.stdout.on("data", hear);
      server.stderr.on("data", hear);
    });
    const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
    const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    page.setDefaultTimeout(PATIENCE_MS);
    await page.goto(`http://127.0.0.1:${port}/?folder=${folder}`);
    await page.locator(".monaco-workbench").waitFor();
    const shots = join(home, "shots");
    mkdirSync(shots, { recursive: true });
    return new Editor(page, browser, server, shots);
  }

  async stop() {
    await this.browser.close();
    this.server.removeAllListeners("close");
    this.server.kill();
  }

  async shot(name) {
    await this.page.screenshot({ path: join(this.shots, `${name}.png`) });
  }

  async open(file) {
    // not one whose name only ends like it
    const named = new RegExp(`^\\s*${file.replaceAll(".", "\\.")}`);
    // the best match, of this text: before it there were the files that were opened last
    const row = this.page
      .locator(".quick-input-list .monaco-list-row.focused", { has: this.page.locator(".highlight") })
      .filter({ hasText: named });
    const tab = this.page.locator(`.tab.active[data-resource-name="${file}"]`).first();
    await this.until(file, async () => {
      await this.page.keyboard.press("Control+P");
      const input = this.page.locator(".quick-input-widget input").first();
      const isThere = await input
        .fill(file, { timeout: 2000 })
        .then(() => row.waitFor({ timeout: 5000 })) // a project's files are looked up when it has just been opened
        .then(() => this.page.keyboard.press("Enter"))
        .then(() => tab.waitFor({ timeout: 5000 })) // what takes the focus meanwhile closes the list
        .then(
          () => true,
          () => false,
        );
      if (!isThere) await this.page.keyboard.press("Escape");
      return isThere;
    });
    await this.page.locator(`.monaco-editor[data-uri$="/${file}"]`).first().waitFor();
  }

  /** Run a command of the palette. */
  async command(title) {
    await (await this.commandRow(title)).click();
  }

  /** Open the palette at a command; which ones it has is decided when it opens, so that one of an extension may come later. */
  async commandRow(title) {
    const row = this.page
      .locator(".quick-input-list .monaco-list-row")
      .filter({ has: this.page.getByText(title, { exact: true }) })
      .first();
    await this.until(title, async () => {
      await this.page.keyboard.press("F1");
      const input = this.page.locator(".quick-input-widget input").first();
      // what takes the focus meanwhile, such as the end of a test run, closes it
      const isThere = await input
        .fill(`>${title}`, { timeout: 2000 })
        .then(() => row.waitFor({ timeout: 2000 }))
        .then(
          () => true,
          () => false,
        );
      if (!isThere) await this.page.keyboard.press("Escape");
      return isThere;
    });
    return row;
  }

  /** Run a command of the palette if it is there now; say whether it was. */
  async tryCommand(title) {
    const row = this.page
      .locator(".quick-input-list .monaco-list-row")
      .filter({ has: this.page.getByText(title, { exact: true }) })
      .first();
    await this.page.keyboard.press("F1");
    const input = this.page.locator(".quick-input-widget input").first();
    try {
      await input.fill(`>${title}`, { timeout: 2000 });
      await row.click({ timeout: 2000 });
      return true;
    } catch {
      await this.page.keyboard.press("Escape");
      return false;
    }
  }

  /** See the editor's view of coverage, which does not always open by itself when a run has ended. */
  async coverageView() {
    const percentages = this.page
      .locator(".test-coverage-list-item-label, .test-coverage-bars")
      .filter({ visible: true });
    for (const start = Date.now(); Date.now() - start < PATIENCE_MS;) {
      // its commands are there once there is coverage
      const isThere = await percentages
        .first()
        .waitFor({ timeout: 5000 })
        .then(
          () => true,
          () => false,
        );
      if (isThere) return;
      if (!(await this.tryCommand("Testing: Focus on Test Coverage View")))
        await this.tryCommand("Test: Open Coverage");
    }
    throw new Error("the view of coverage did not come");
  }

  /** Choose the row of the quick pick that has this text. */
  async pick(text) {
    await this.page.locator(".quick-input-list .monaco-list-row").filter({ hasText: text }).first().click();
  }

  /** Look for a row of the quick pick by its text, and choose it. */
  async choose(text) {
    await this.page.locator(".quick-input-widget input").first().fill(text);
    await this.pick(text);
  }

  /** Move the mouse to the end of a line and return what is said of it, once that has this text. */
  async hoverAt(line, text) {
    const hover = this.page.locator(".monaco-hover:visible").filter({ hasText: text });
    await this.page.locator(".view-line").filter({ hasText: line }).locator("span span").last().hover();
    await hover.waitFor();
    return hover;
  }

  /** The document in the panel that is seen: a frame in a frame. */
  async panel() {
    return this.until("the panel", async () => {
      // those of other tabs are kept, and hidden
      for (const outer of await this.page.locator("iframe.webview").filter({ visible: true }).elementHandles()) {
        const shown = await (await outer.contentFrame())?.$("#active-frame");
        const panel = await shown?.contentFrame();
        if (panel && (await panel.locator("canvas").count())) return panel;
      }
      return undefined;
    });
  }

  /** The lines of a file that is seen with a mark, by its colour. */
  async marks(file = "shop.py") {
    return this.page.evaluate((name) => {
      const lines = {};
      const editor = document.querySelector(`.monaco-editor[data-uri$="/${name}"]`);
      const numbers = [...editor.querySelectorAll(".margin-view-overlays > div")].map((row) => [
        row.getBoundingClientRect().top,
        Number(row.querySelector(".line-numbers")?.textContent),
      ]);
      for (const mark of editor.querySelectorAll(".view-overlays .cdr")) {
        const { borderLeftWidth, borderLeftColor } = getComputedStyle(mark);
        if (borderLeftWidth !== "1px") continue;
        const { top } = mark.getBoundingClientRect();
        const line = numbers.find(([at]) => Math.abs(at - top) < 2)?.[1];
        (lines[borderLeftColor] ??= []).push(line);
      }
      return lines;
    }, file);
  }

  /** The times that are written after lines of a file that is seen. */
  async times(file = "shop.py") {
    return this.page.evaluate(
      (name) =>
        [...document.querySelectorAll(`.monaco-editor[data-uri$="/${name}"] .view-line span span`)]
          .map((each) => getComputedStyle(each, "::after").content)
          .filter((text) => text.includes(", own ")),
      file,
    );
  }

  async until(what, look) {
    for (const start = Date.now(); Date.now() - start < PATIENCE_MS; await this.page.waitForTimeout(50)) {
      const found = await look();
      if (found) return found;
    }
    throw new Error(`${what} did not come`);
  }
}

module.exports = { Editor };
