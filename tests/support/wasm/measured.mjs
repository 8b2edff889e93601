// Runs measured.py under Pyodide: node measured.mjs FOLDER DATA_FILE SOURCES SITE_PACKAGES, all absolute.
// FOLDER is at the same path there, in the memory of the interpreter, as a copy: the others are mounted.
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { loadPyodide } from "pyodide";

const [folder, dataFile, sources, packages] = process.argv.slice(2);
const python = await loadPyodide({ args: [folder, dataFile] });
for (const path of new Set([folder, dirname(dataFile), sources, packages])) {
  python.FS.mkdirTree("/mounted" + path);
  python.mountNodeFS("/mounted" + path, path);
}
const here = dirname(fileURLToPath(import.meta.url));
python.globals.set("arguments", python.toPy([folder, dataFile, sources, packages]));
const program = readFileSync(here + "/measured.py", "utf8").split("if __name__")[0];
try {
  python.runPython(`
import shutil, sys
folder, data_file, sources, packages = arguments
shutil.copytree("/mounted" + folder, folder)
sys.path[:0] = ["/mounted" + sources]
sys.path.append("/mounted" + packages)
data_file = "/mounted" + data_file
`);
  python.runPython(program + "\nmain(folder, data_file)\n");
} catch (error) {
  console.error(String(error).slice(-4000)); // uncaught, node would print all of Pyodide with it
  process.exitCode = 1;
}
