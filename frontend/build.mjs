// Builds static/css/unsprawl.css and stamps it with the digest of what it was built from, which
// tests/architecture/test_css_fresh.py recomputes without Node.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = join(here, "..", "static", "css", "unsprawl.css");

export function digest() {
  const sources = readdirSync(here).filter((name) => name.endsWith(".css")).sort();
  const hash = createHash("sha256");
  for (const name of [...sources, "package-lock.json"]) {
    hash.update(`${name}\n`).update(readFileSync(join(here, name))).update("\n");
  }
  return hash.digest("hex");
}

execFileSync(
  join(here, "node_modules", ".bin", "tailwindcss"),
  ["-i", join(here, "unsprawl.css"), "-o", out, "--minify"],
  { cwd: here, stdio: ["ignore", "ignore", "inherit"] },
);
const css = readFileSync(out, "utf8").trimEnd();
writeFileSync(out, `/* sources:${digest()} */\n${css}\n`);
console.log(`static/css/unsprawl.css  ${(css.length / 1024).toFixed(1)} kB`);
