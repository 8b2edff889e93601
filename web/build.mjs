// Bundle the viewer into the Python package, where installing it needs no Node.
import { build } from "esbuild";

const assets = new URL("../src/footfall/report/assets/", import.meta.url).pathname;
const common = { bundle: true, minify: true, legalComments: "eof", logLevel: "info" };

await build({ ...common, entryPoints: ["src/main.ts"], outfile: assets + "app.js", format: "iife", target: "es2022" });
await build({ ...common, entryPoints: ["src/style.css"], outfile: assets + "app.css" });
