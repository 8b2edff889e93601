// A second project, with unittest's tests and a big file, in whose environment footfall is not installed at first.
const assert = require("node:assert/strict");
const { execFileSync } = require("node:child_process");
const { existsSync, mkdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");

const { Editor } = require("./editor.cjs");
const { stepsIn } = require("./steps.cjs");

const N_FUNCTIONS = 1000;

/** Write the project; of each second function of its big file a test runs the first half of the lines. */
function makeProject(folder, python) {
  mkdirSync(join(folder, ".vscode"), { recursive: true });
  const testCommand = ["-m", "footfall", "run", "-m", "unittest"];
  writeFileSync(join(folder, ".vscode", "settings.json"), JSON.stringify({ "footfall.testCommand": testCommand }));
  const lines = (n) => [
    `def step_${n}(value):`,
    `    if value >= ${n}:`,
    `        return value`,
    `    return ${n}`,
    "",
  ];
  const big = Array.from({ length: N_FUNCTIONS }, (_, n) => lines(n)).flat();
  writeFileSync(join(folder, "big.py"), `${big.join("\n")}\n`);
  const test = ["import unittest", "import big", "", "", "class TestBig(unittest.TestCase):"];
  test.push("    def test_even(self):", `        for n in range(0, ${N_FUNCTIONS}, 2):`);
  test.push(`            self.assertEqual(getattr(big, f"step_{n}")(${N_FUNCTIONS}), ${N_FUNCTIONS})`);
  writeFileSync(join(folder, "test_big.py"), `${test.join("\n")}\n`);
  writeFileSync(join(folder, "test_gone.py"), "import no_such_module\n");
  execFileSync(python, ["-m", "venv", "--without-pip", join(folder, ".venv")]);
}

async function plainProject(home, work) {
  const folder = join(work, "plain");
  const environment = join(work, "sample", ".venv");
  makeProject(folder, join(environment, "bin", "python"));
  const editor = await Editor.start(home, work, folder);
  const step = stepsIn(editor);
  const { page } = editor;
  try {
    await step("an interpreter without footfall is named, with what to do", async () => {
      await editor.open("big.py");
      await editor.command("footfall: Open the Flame Graph");
      const said = page.getByText(/footfall is not installed for .*python -m pip install footfall/).first();
      await said.waitFor();
      await editor.shot("missing");
      rmSync(join(folder, ".venv"), { recursive: true });
      symlinkSync(readlinkSync(environment), join(folder, ".venv"));
    });
    await step("unittest's tests run with coverage; a module that can't be imported is in their tree", async () => {
      await editor.command("Test: Run All Tests with Coverage");
      await editor.until("its data", () => existsSync(join(folder, ".coverage")));
      await editor.coverageView();
      await editor.command("Testing: Focus on Test Explorer View");
      await page.getByText("All tests of plain").first().click();
      await page.keyboard.press("ArrowRight");
      await page
        .getByText(/Failed to import test module: test_gone/)
        .first()
        .waitFor();
      await editor.shot("unittest");
    });
    await step(`${5 * N_FUNCTIONS} lines are marked, from the first to the last`, async () => {
      await editor.open("big.py");
      const lines = (marks, state) => (Object.values(marks)[state] ?? []).sort((a, b) => a - b);
      const marks = await editor.until("marks", async () => {
        const found = await editor.marks("big.py");
        return Object.keys(found).length === 3 && found;
      });
      assert.deepEqual(lines(marks, 0).slice(0, 4), [1, 3, 6, 11]);
      assert.deepEqual(lines(marks, 1).slice(0, 2), [2, 12]);
      assert.deepEqual(lines(marks, 2).slice(0, 5), [4, 7, 8, 9, 14]);
      await page.keyboard.press("Control+End");
      await editor.until("marks at the end", async () =>
        Object.values(await editor.marks("big.py")).some((each) => each.includes(5 * N_FUNCTIONS - 1)),
      );
      const hover = await editor.hoverAt(`if value >= ${N_FUNCTIONS - 2}`, "Run by 1 test");
      assert.match(await hover.innerText(), /test_big\.TestBig\.test_even/);
      await editor.shot("big");
    });
  } finally {
    await editor.stop();
  }
}

module.exports = { plainProject };
