// Bundle the extension, and its unit tests, which do without an editor.
import { build } from "esbuild";

const common = { bundle: true, platform: "node", format: "cjs", target: "node18", logLevel: "warning" };

await build({
  ...common,
  entryPoints: ["src/extension.ts"],
  outfile: "dist/extension.js",
  external: ["vscode"],
  minify: true,
});
await build({
  ...common,
  entryPoints: ["frames", "marks", "outcomes", "processes", "client", "extension"].map(
    (name) => `test/${name}.test.ts`,
  ),
  alias: { vscode: "./test/fakeVscode.ts" },
  outdir: "dist-test",
});
