// What a user does with the extension, step by step in a real editor, and what has to be seen then.
const assert = require("node:assert/strict");
const { spawn } = require("node:child_process");
const { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const { Editor } = require("./editor.cjs");
const { plainProject } = require("./plain.cjs");
const { stepsIn } = require("./steps.cjs");

const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** The rules of accessibility that a document breaks, each with the first place. */
function violations(document) {
  return document.evaluate(async (source) => {
    new Function(source)();
    return (await globalThis.axe.run()).violations.map(({ id, nodes }) => [id, nodes[0].html]);
  }, axe);
}

/** The processes that were started in a directory with this word, by their numbers. */
function processesIn(directory, word) {
  return readdirSync("/proc").filter((name) => {
    if (!/^\d+$/.test(name)) return false;
    try {
      const words = readFileSync(`/proc/${name}/cmdline`, "utf8").split("\0");
      return words.includes(word) && readlinkSync(`/proc/${name}/cwd`) === directory;
    } catch {
      return false; // it has ended
    }
  });
}

async function main([home, work]) {
  const editor = await Editor.start(home, work, join(work, "sample"));
  const step = stepsIn(editor);
  const { page } = editor;
  let panel;
  const chooser = (name) => panel.locator("label", { has: panel.getByText(name, { exact: true }) }).locator("select");
  try {
    await step("a project opens, in which nothing was measured yet", async () => {
      await editor.open("shop.py");
      assert.deepEqual(await editor.marks(), {});
    });
    await step("its tests run with coverage", async () => {
      await editor.command("Test: Run All Tests with Coverage");
      await editor.until("its data", () => existsSync(join(work, "sample", ".coverage")));
      await editor.coverageView();
      await editor.until("the percentage of a file", () => page.locator("text=/^\\d+(\\.\\d+)?%$/").count());
      await editor.shot("coverage");
    });
    await step("lines are marked with what ran, and with their times", async () => {
      const marks = await editor.until("marks", async () => {
        const found = await editor.marks();
        return Object.keys(found).length > 0 && found;
      });
      const [run, partial, missing] = Object.values(marks);
      assert.deepEqual(run.slice(0, 6), [3, 6, 7, 8, 9, 12]);
      assert.deepEqual([partial, missing], [[10], [11, 28, 29, 30]]);
      const times = await editor.until("times", async () => {
        const found = await editor.times();
        return found.length > 0 && found;
      });
      assert.match(times[0], /\d %, own \d+(\.\d)? % ▇/);
      await editor.shot("marks");
    });
    await step("a line tells where its branch did not go, and the tests that ran it", async () => {
      const hover = await editor.hoverAt("if total > 1000", "Run by 2 tests");
      assert.match(await hover.innerText(), /was never true/);
      await editor.shot("hover");
      await page.keyboard.press("Escape");
    });
    await step("a line tells the outcomes that its conditions never had", async () => {
      const hover = await editor.hoverAt("if is_member and", "Run by 2 tests");
      assert.match(await hover.innerText(), /total > 10 \(columns \d+ to \d+\) was never false/);
      await editor.shot("conditions");
      await page.keyboard.press("Escape");
    });
    await step("the tests that run a line are listed, and one that is chosen opens", async () => {
      await page.locator(".view-line").filter({ hasText: "if total > 1000" }).click();
      await editor.command("footfall: Show the Tests That Run This Line");
      await page.getByText("Tests that run shop.py:10 (2)").waitFor();
      await editor.pick("test_shop.py::test_price");
      await page.locator('.tab.active[data-resource-name="test_shop.py"]').waitFor();
      await page.getByText(/^Ln 6, Col 1$/).waitFor();
      await editor.shot("who-tests");
    });
    await step("the editor's coverage is that of one test", async () => {
      await editor.command("Test: Filter Coverage by Test");
      await editor.pick("test_price");
      await editor.command("Testing: Focus on Test Coverage View");
      await page.getByText("Showing coverage for").first().waitFor();
      await editor.shot("one-test");
      await editor.command("Test: Filter Coverage by Test");
      await editor.pick("Entire run");
    });
    await step("marks move with the text, and are grey once it is saved", async () => {
      await editor.open("shop.py");
      await page.keyboard.press("Control+Home");
      await page.keyboard.type("# new\n");
      const of = (marks) => Object.values(marks)[0]?.slice(0, 3);
      await editor.until("marks that moved", async () => String(of(await editor.marks())) === "4,7,8");
      const moved = /line 11 didn't jump to line 12 because the condition on line 11 was never true/;
      const said = async () => (await editor.hoverAt("if total > 1000", "was never true")).innerText();
      assert.match(await said(), moved);
      await page.keyboard.press("Escape");
      await page.keyboard.press("Control+S");
      await editor.until("grey marks", async () => {
        const marks = await editor.marks();
        return Object.keys(marks).length === 1 && String(of(marks)) === "4,7,8";
      });
      await page.mouse.move(0, 0);
      assert.match(await said(), moved);
      await editor.shot("stale");
      await editor.until("the text as it was", async () => {
        await page.keyboard.press("Control+Z"); // once for each word that was typed
        return (await page.locator(".view-line").filter({ hasText: "# new" }).count()) === 0;
      });
      await page.keyboard.press("Control+Z");
      await page.keyboard.press("Control+S");
      await editor.until("marks as before", async () => Object.keys(await editor.marks()).length === 3);
    });
    await step("the flame graph opens", async () => {
      const started = Date.now();
      await editor.command("footfall: Open the Flame Graph");
      panel = await editor.panel();
      console.log(`   the panel is there after ${Date.now() - started} ms`);
    });
    await step("F searches in it", async () => {
      await panel.locator("canvas[role=application]").focus();
      await page.keyboard.press("f");
      await page.keyboard.type("squares");
      await panel
        .locator(".found")
        .filter({ hasText: /functions?, .* of all/ })
        .waitFor();
      await page.keyboard.press("Enter");
      await panel.locator(".found").filter({ hasText: "match 1 of" }).waitFor();
      await editor.shot("flame");
    });
    for (const [kind, theme] of [
      ["dark", "Dark Modern"],
      ["light", "Light Modern"],
    ]) {
      await step(`it follows the editor's ${kind} theme, with nothing against the rules of accessibility`, async () => {
        await editor.command("Preferences: Color Theme");
        await editor.choose(theme);
        await editor.until("the theme", () =>
          panel.evaluate((wanted) => document.documentElement.dataset.theme === wanted, kind),
        );
        await editor.shot(`flame-${kind}`);
        assert.deepEqual(await violations(panel), []);
      });
    }
    await step("a click on a frame of a test's own code opens its source at the line", async () => {
      await panel.getByRole("searchbox").fill("");
      await chooser("Test").selectOption({ label: "test_shop.py::test_busy" });
      await chooser("Frames").selectOption({ index: 1 });
      await editor.shot("test");
      await panel.locator("canvas[role=application]").click({ position: { x: 60, y: 50 } });
      await page.getByText(/^Ln (19|24), Col 1$/).waitFor();
      await page.locator('.tab.active[data-resource-name="shop.py"]').waitFor();
      await editor.shot("clicked");
    });
    await step("the flame graph is that of one thread", async () => {
      const timeOf = async () => (await panel.getByText(/ in [\d,]+ samples/).innerText()).split(" in ")[0];
      await chooser("Test").selectOption({ label: "all" });
      const whole = await timeOf();
      const names = await chooser("Thread").locator("option").allInnerTexts();
      const helper = names.find((name) => name.startsWith("helper"));
      assert.ok(helper, names.join());
      await chooser("Thread").selectOption({ label: helper });
      await editor.until("its time", async () => (await timeOf()) !== whole);
      await panel.locator("td", { hasText: "squares" }).first().waitFor();
      await editor.shot("thread");
    });
    await step("the flame graph is that of one file", async () => {
      await editor.open("shop.py");
      await editor.command("footfall: Open the Flame Graph of This File");
      await page.locator(".tab.active", { hasText: "footfall: shop.py in .coverage" }).waitFor();
      panel = await editor.panel();
      await panel.locator("td", { hasText: "squares" }).first().waitFor();
      await editor.shot("file");
    });
    await step("a link at a line runs only its tests, and the whole suite's data stays", async () => {
      await editor.open("shop.py");
      const data = readFileSync(join(work, "sample", ".coverage"));
      const hover = await editor.hoverAt("if total > 1000", "Run by 2 tests");
      await hover.getByText("Run only these tests").click();
      const ofThese = join(work, "sample", ".footfall", "some-tests.coverage");
      await editor.until("the data of two tests", () => existsSync(ofThese));
      await editor.shot("only");
      assert.deepEqual(readFileSync(join(work, "sample", ".coverage")), data);
    });
    await step("the test at the cursor is profiled", async () => {
      await editor.open("test_shop.py");
      await page.keyboard.press("Control+End");
      await editor.command("footfall: Profile the Test at the Cursor");
      await page.locator(".tab.active", { hasText: "footfall: test_shop.py::test_busy" }).waitFor();
      panel = await editor.panel();
      await panel.locator("td", { hasText: "squares" }).first().waitFor();
      // without the frames of what runs it
      const chosen = () => Promise.all([chooser("Test").inputValue(), chooser("Frames").inputValue()]);
      await editor.until("its own frames", async () => String(await chosen()) === "1,own");
      assert.equal(await panel.locator("td", { hasText: "pytest_pyfunc_call" }).count(), 0);
      await editor.shot("profiled-test");
    });
    await step("a run that is cancelled ends, and its processes too", async () => {
      const begun = join(work, "sample", "begun");
      const slow = join(work, "sample", "test_slow.py");
      writeFileSync(
        slow,
        "import os, time\n\ndef test_slow():\n    open('begun', 'w').write(str(os.getpid()))\n    time.sleep(600)\n",
      );
      await editor.command("Test: Run All Tests with Coverage");
      const pid = await editor.until("the slow test", () => existsSync(begun) && readFileSync(begun, "utf8"));
      await editor.command("Test: Cancel Test Run");
      await editor.until("the end of the process", () => !existsSync(`/proc/${pid}`));
      await editor.shot("cancelled");
      rmSync(slow);
    });
    await step("a file is profiled in the terminal, and marks follow", async () => {
      await editor.open("main.py");
      assert.deepEqual(await editor.marks("main.py"), {}); // no test runs it
      await page.keyboard.press("Control+End");
      await page.keyboard.type("# not saved");
      await editor.command("footfall: Profile This File in the Terminal");
      await editor.until("the file", () =>
        readFileSync(join(work, "sample", "main.py"), "utf8").endsWith("# not saved"),
      );
      const marks = await editor.until("marks of the file", async () => {
        const found = await editor.marks("main.py");
        return Object.keys(found).length > 0 && found;
      });
      assert.deepEqual(Object.values(marks), [[3], [5], [6]]);
      await editor.until("its time", async () => (await editor.times("main.py")).length > 0);
      await editor.shot("profiled-file");
    });
    await step("a command is profiled in the terminal", async () => {
      await editor.command("footfall: Profile a Command in the Terminal...");
      await page.getByText("It runs in a terminal").waitFor();
      await page.keyboard.type("--data-file=command.coverage main.py");
      await page.keyboard.press("Enter");
      await editor.until("its data", () => existsSync(join(work, "sample", "command.coverage")));
      await editor.shot("profiled-command");
    });
    let worker;
    await step("a running process is attached to", async () => {
      worker = spawn(join(work, "sample", ".venv", "bin", "python"), ["worker.py"], {
        cwd: join(work, "sample"),
      });
      try {
        await editor.command("footfall: Profile a Running Process...");
        await page.locator(".quick-input-list .monaco-list-row").filter({ hasText: "worker.py" }).first().waitFor();
        await editor.shot("picker");
        await editor.pick("worker.py");
        await page.locator(".tab", { hasText: `attach-${worker.pid}.coverage` }).waitFor();
      } finally {
        worker.kill();
      }
      panel = await editor.panel();
      await panel.locator("td", { hasText: "squares" }).first().waitFor();
      assert.ok(existsSync(join(work, "sample", ".footfall", `attach-${worker.pid}.coverage`)));
      await editor.shot("attached");
    });
    await step("two runs are compared", async () => {
      await editor.command("footfall: Compare Two Runs...");
      await page.getByText("the earlier one").waitFor();
      await editor.pick(".coverage");
      await page.getByText("the later one").waitFor();
      await editor.pick("attach-");
      await page.locator(".tab.active", { hasText: " and " }).waitFor();
      panel = await editor.panel();
      await editor.shot("compared");
    });
    await step("nothing is coloured in two runs of the same", async () => {
      await editor.command("footfall: Compare Two Runs...");
      await page.getByText("the earlier one").waitFor();
      await editor.choose("command.coverage");
      await page.getByText("the later one").waitFor();
      await editor.pick(".coverage"); // of the same program
      await page.locator(".tab.active", { hasText: "command.coverage and .coverage" }).waitFor();
      panel = await editor.panel();
      await panel.locator("p.noise", { hasText: "a difference that may be noise" }).waitFor();
      const changes = await panel.locator("table.sorted tbody td:nth-child(6)").allInnerTexts();
      assert.deepEqual(
        changes.filter((text) => !text.startsWith("(")),
        [],
      );
      await editor.shot("same");
    });
    await step("marks come back when the service is killed again and again", async () => {
      const services = () => processesIn(join(work, "sample"), "serve");
      await editor.open("main.py");
      // one that a run of some tests has is not started again
      await editor.until("the message", async () => {
        services().forEach((pid) => process.kill(pid, "SIGKILL"));
        return page.getByText("ends again and again").first().isVisible();
      });
      await editor.shot("killed");
      await page.getByRole("button", { name: "Restart" }).first().click();
      await editor.until("the service", () => services().length > 0);
      await editor.until("marks", async () => Object.keys(await editor.marks("main.py")).length > 0);
    });
    await step("untested code is listed", async () => {
      await editor.command("Testing: Focus on Untested Code by Time View");
      await page.getByText("refund", { exact: true }).first().waitFor();
      await editor.shot("gaps");
    });
  } finally {
    await editor.stop();
  }
  await plainProject(home, work);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`not ok ${error.message}`);
  process.exitCode = 1;
});
