import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The text of a file under lib/, from the sources, wherever this module was compiled to. */
export function source(path: string): string {
  let directory = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(directory, "package.json"))) directory = dirname(directory);
  return readFileSync(join(directory, "lib", path), "utf8");
}

/** A small function as it goes into a template, together with what all of them have in common. */
export function inline(path: string): string {
  return source("worker.cjs") + source(path);
}
