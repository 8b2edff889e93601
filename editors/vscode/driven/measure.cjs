// How long a user waits in a project of 5,000 tests (make_suite.py): for the marks of a file, from the extension's question
// until they are set, as its log has it, and for the flame graph, from the choice of the command until it is drawn. The
// first panel of a session waits for what the editor itself starts for it: so a preview of one heading comes first.
// MEASURE=1 make editor. What a shared machine takes by the clock says little, so the processes' time of CPU is there too.
const { execFileSync } = require("node:child_process");
const { readFileSync, readdirSync, symlinkSync, writeFileSync } = require("node:fs");
const { dirname, join } = require("node:path");

const { Editor } = require("./editor.cjs");

const TICKS_MS = 10;
const FILES = ["core.py", "part_3.py", "part_20.py", "test_part_7.py", "part_41.py"];

/** The CPU time of the service and of the editor's process that has the extension, in milliseconds. */
function spent() {
  let sum = 0;
  for (const pid of readdirSync("/proc").filter((name) => /^\d+$/.test(name))) {
    try {
      const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
      if (!/footfall\0serve|extensionHost/.test(command)) continue;
      const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      sum += TICKS_MS * (Number(fields[11]) + Number(fields[12]));
    } catch {
      // it has ended
    }
  }
  return sum;
}

/** The times that the extension's log has for the marks of a file, in milliseconds. */
function loggedTimes(work, file) {
  const logs = readdirSync(join(work, "data", "logs"), { recursive: true }).filter((name) =>
    name.endsWith("/footfall.log"),
  );
  const lines = logs.flatMap((name) => readFileSync(join(work, "data", "logs", name), "utf8").split("\n"));
  return lines
    .map((line) => /marks of (.*) after (\d+) ms/.exec(line))
    .filter((found) => found?.[1].endsWith(`/${file}`))
    .map((found) => Number(found[2]));
}

async function timed(what, run) {
  const [started, before] = [Date.now(), spent()];
  await run();
  console.log(`${what}: ${Date.now() - started} ms by the clock, ${spent() - before} ms of CPU`);
}

async function main([home, work, python]) {
  const suite = join(work, "suite");
  execFileSync(python, [join(__dirname, "make_suite.py"), suite]);
  writeFileSync(join(suite, "NOTES.md"), "# One heading\n");
  const tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "--footfall", "--footfall-context=test"];
  execFileSync(python, tests, { cwd: suite, stdio: "ignore" });
  symlinkSync(dirname(dirname(python)), join(suite, ".venv")); // where the extension finds footfall
  const editor = await Editor.start(home, work, suite);
  try {
    for (const file of FILES) {
      const before = spent();
      await editor.open(file);
      const took = await editor.until("marks", () => loggedTimes(work, file)[0]);
      await editor.until("marks", async () => Object.keys(await editor.marks(file)).length > 0);
      console.log(`marks of ${file}: ${took} ms by the clock, ${spent() - before} ms of CPU with opening the file`);
    }
    const panels = async (title, isThere) => {
      for (let n = 0; n < 3; n++) {
        const row = await editor.commandRow(title);
        await timed(title, async () => {
          await row.click();
          await isThere();
        });
        await editor.command("View: Close Editor");
      }
    };
    await editor.open("NOTES.md");
    await panels("Markdown: Open Preview", () =>
      editor.until("the preview", async () => {
        const counts = editor.page.frames().map((frame) => frame.locator("h1", { hasText: "One heading" }).count());
        return (await Promise.all(counts.map((count) => count.catch(() => 0)))).some((count) => count > 0);
      }),
    );
    await panels("footfall: Open the Flame Graph", async () => {
      await (await editor.panel()).locator("canvas[role=application]").waitFor();
    });
    await editor.shot("suite");
  } finally {
    await editor.stop();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(`not ok ${error.message}`);
  process.exitCode = 1;
});
