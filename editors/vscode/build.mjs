// Bundle the extension, and its unit tests, which do without an editor.
import { readdirSync, rmSync } from "node:fs";
import { build } from "esbuild";

const common = { bundle: true, platform: "node", format: "cjs", target: "node18", logLevel: "warning" };

await build({
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  external: ["vscode"],
  minify: true,
});
rmSync("dist-test", { recursive: true, force: true }); // a test that was removed is not run
await build({
  ...common,
  entryPoints: readdirSync("test")
    .filter((name) => name.endsWith(".test.ts"))
    .map((name) => `test/${name}`),
  alias: { vscode: "./test/fakeVscode.ts" },
  outdir: "dist-test",
});
