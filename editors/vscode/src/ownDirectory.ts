// Where the data of our own runs go: `.footfall` of the project, which git ignores; where that can't be written, a temporary directory.
import { accessSync, constants, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export class OwnDirectory {
  private temporary = "";

  constructor(private readonly root: string) {}

  /** Return the path of a file in it; the directory is made. */
  file(name: string): string {
    return join(this.made(), name);
  }

  /** Return the data files that are in it. */
  dataFiles(): string[] {
    const places = [join(this.root, ".footfall"), this.temporary].filter((place) => place && existsSync(place));
    return places.flatMap((place) =>
      readdirSync(place)
        .filter((name) => name.endsWith(".coverage"))
        .map((name) => join(place, name)),
    );
  }

  dispose(): void {
    if (this.temporary) rmSync(this.temporary, { recursive: true, force: true });
  }

  private made(): string {
    const home = join(this.root, ".footfall");
    try {
      if (!existsSync(home)) mkdirSync(home);
      accessSync(home, constants.W_OK);
      writeUnlessThere(join(home, ".gitignore"), "*\n"); // as a run does
      return home;
    } catch {
      if (!existsSync(this.temporary)) this.temporary = mkdtempSync(join(tmpdir(), "footfall-"));
      return this.temporary;
    }
  }
}

function writeUnlessThere(path: string, text: string): void {
  if (!existsSync(path)) writeFileSync(path, text, { flag: "wx" });
}
