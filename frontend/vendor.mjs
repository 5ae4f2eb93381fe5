// Copies the vendored files (fonts, uPlot, the Lucide icons named in icons.txt) into static/, licences beside them.
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const from = (...parts) => join(here, "node_modules", ...parts);
const to = (...parts) => join(here, "..", "static", ...parts);

for (const folder of ["fonts", "vendor/uplot", "icons"]) mkdirSync(to(folder), { recursive: true });

const inter = "@fontsource-variable/inter";
const mono = "@fontsource-variable/jetbrains-mono";
cpSync(from(inter, "files/inter-latin-wght-normal.woff2"), to("fonts/inter-latin.woff2"));
cpSync(from(inter, "files/inter-latin-ext-wght-normal.woff2"), to("fonts/inter-latin-ext.woff2"));
cpSync(from(mono, "files/jetbrains-mono-latin-wght-normal.woff2"), to("fonts/jetbrains-mono-latin.woff2"));
cpSync(from(inter, "LICENSE"), to("fonts/inter-LICENSE.txt"));
cpSync(from(mono, "LICENSE"), to("fonts/jetbrains-mono-LICENSE.txt"));

cpSync(from("uplot/dist/uPlot.iife.min.js"), to("vendor/uplot/uPlot.iife.min.js"));
cpSync(from("uplot/LICENSE"), to("vendor/uplot/LICENSE"));

cpSync(from("lucide-static/LICENSE"), to("icons/LICENSE"));
const missing = [];
for (const name of readFileSync(join(here, "icons.txt"), "utf8").split("\n").filter(Boolean)) {
  const source = from("lucide-static/icons", `${name}.svg`);
  if (!existsSync(source)) {
    missing.push(name);
    continue;
  }
  const body = readFileSync(source, "utf8").replace(/<!--[\s\S]*?-->/g, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
  const shapes = body.replace(/\s+/g, " ").replace(/ \/>/g, "/>").replace(/> </g, "><").trim();
  writeFileSync(to("icons", `${name}.svg`), `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24">${shapes}</svg>\n`);
}
if (missing.length) throw new Error(`no such Lucide icon: ${missing.join(", ")}`);
