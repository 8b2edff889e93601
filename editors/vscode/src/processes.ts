// The Python processes of this machine that the user may look into, for the picker. Linux only: that is where footfall attaches.
import { readdirSync, readFileSync, readlinkSync, statSync } from "node:fs";
import { basename, join } from "node:path";

export interface PythonProcess {
  pid: number;
  command: string;
  directory: string;
}

/** Return the processes of the same user that run Python, the newest (the greatest number) first, without footfall's service. */
export function pythonProcesses(proc = "/proc", user = process.getuid?.()): PythonProcess[] {
  const found: PythonProcess[] = [];
  for (const name of readdirSync(proc)) {
    if (!/^\d+$/.test(name)) continue;
    const each = processIn(join(proc, name), user);
    if (each !== undefined) found.push({ pid: Number(name), ...each });
  }
  return found.sort((a, b) => b.pid - a.pid);
}

function processIn(directory: string, user: number | undefined): Omit<PythonProcess, "pid"> | undefined {
  try {
    if (user !== 0 && statSync(directory).uid !== user) return undefined;
    if (!/^(python|pypy)/.test(basename(readlinkSync(join(directory, "exe"))))) return undefined;
    const words = readFileSync(join(directory, "cmdline"), "utf8").split("\0").filter(Boolean);
    if (words.includes("footfall") && words.includes("serve")) return undefined;
    words[0] = basename(words[0]); // a long path would hide what is run
    return { command: words.join(" "), directory: readlinkSync(join(directory, "cwd")) };
  } catch {
    return undefined; // it has ended, or is another's
  }
}
