// vendor.mjs copies the front-end files that Carillon ships out of npm packages, trimmed to what the
// pages use. It runs by hand, only when a dependency, a class name or an icon changes:
//
//   npm i --prefix FOLDER @tabler/core@1.6.1 @tabler/icons@3.51.0 \
//     htmx.org@2.0.11 @fontsource-variable/instrument-sans@5
//   node static/vendor.mjs FOLDER/node_modules
//
// Tabler's style sheet is cut to the rules whose class names occur as a word somewhere in views/ or in
// the scripts beside this file, and to the custom properties that the rest still reads.
import fs from "node:fs";
import path from "node:path";

const modules = process.argv[2];
if (!modules) throw new Error("usage: node vendor.mjs path/to/node_modules");
const here = path.dirname(new URL(import.meta.url).pathname);
const views = path.join(here, "..", "views");
const from = (...p) => fs.readFileSync(path.join(modules, ...p), "utf8");
const to = (name, body) => fs.writeFileSync(path.join(here, name), body);

const sources = [
  ...fs.readdirSync(views).filter((f) => f.endsWith(".templ") || (f.endsWith(".go") && !f.endsWith("_templ.go") && !f.endsWith("_test.go"))).map((f) => path.join(views, f)),
  path.join(here, "app.js"), path.join(here, "phone.js"),
].filter((f) => fs.existsSync(f)).map((f) => fs.readFileSync(f, "utf8")).join("\n");
const words = new Set(sources.match(/[A-Za-z][\w-]*/g));

// parse splits a style sheet into rules: {head, body} for leaves, {head, rules} for blocks of rules.
function parse(css, i = 0) {
  const rules = [];
  let head = "";
  while (i < css.length) {
    const c = css[i];
    if (c === "}") return [rules, i + 1];
    if (c === ";" ) { if (head.trim()) rules.push({ head: head.trim(), body: null }); head = ""; i++; continue; }
    if (c !== "{") { head += c; i++; continue; }
    const name = head.trim();
    head = "";
    if (/^@(media|supports|layer|container)/.test(name)) {
      const [inner, next] = parse(css, i + 1);
      rules.push({ head: name, rules: inner });
      i = next;
      continue;
    }
    let depth = 1, j = i + 1;
    while (depth) { if (css[j] === "{") depth++; if (css[j] === "}") depth--; j++; }
    rules.push({ head: name, body: css.slice(i + 1, j - 1).trim() });
    i = j;
  }
  return [rules, i];
}

// split cuts a selector list at the commas outside brackets.
function split(list) {
  const out = [""];
  let depth = 0;
  for (const c of list) {
    if ("([".includes(c)) depth++;
    if (")]".includes(c)) depth--;
    if (c === "," && !depth) out.push(""); else out[out.length - 1] += c;
  }
  return out.map((s) => s.trim());
}

const dead = /theme-dark|data-theme|data-bs-navbar-theme|body\[data-bs-theme|^:host|carousel|data-bs-theme-/;
function used(selector) {
  if (dead.test(selector)) return false;
  const bare = selector.replace(/:not\((?:[^()]|\([^()]*\))*\)/g, "");
  return (bare.match(/\.-?[A-Za-z_][\w-]*/g) || []).every((c) => words.has(c.slice(1)));
}

function trim(rules) {
  return rules.map((r) => {
    if (r.rules) { const inner = trim(r.rules); return inner.length ? { head: r.head, rules: inner } : null; }
    if (r.body === null || r.head.startsWith("@charset")) return null;
    if (r.head.startsWith("@")) return r;
    const kept = split(r.head).filter(used);
    return kept.length && r.body ? { head: kept.join(","), body: r.body } : null;
  }).filter(Boolean);
}

const print = (rules) => rules.map((r) => r.rules ? `${r.head}{${print(r.rules)}}` : `${r.head}{${r.body}}`).join("\n");

// prune drops custom properties nobody reads, until nothing changes, and keyframes nobody names.
function prune(css) {
  const own = fs.existsSync(path.join(here, "app.css")) ? fs.readFileSync(path.join(here, "app.css"), "utf8") : "";
  for (;;) {
    const read = new Set((css + own).match(/var\(\s*--[\w-]+/g).map((v) => v.replace(/var\(\s*/, "")));
    const next = css.replace(/(--tblr-[\w-]+)\s*:[^;{}]*;?/g, (all, name) => (read.has(name) ? all : ""));
    if (next === css) break;
    css = next;
  }
  return css.replace(/@(?:-webkit-)?keyframes\s+([\w-]+)\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}/g, (all, name) => (new RegExp(`animation[^;{}]*${name}`).test(css) ? all : ""))
    .replace(/[^{}@]+\{\s*\}/g, "");
}

const raw = from("@tabler/core/dist/css/tabler.css");
const notice = raw.match(/\/\*![\s\S]*?\*\//)[0];
const [rules] = parse(raw.replace(/\/\*[\s\S]*?\*\//g, ""));
let css = prune(print(trim(rules)));
css = css.replace(/\s*\n\s*/g, "").replace(/;\s*}/g, "}").replace(/\s*([{};,>])\s*/g, "$1").replace(/([\w-]):\s+/g, "$1:").replace(/}/g, "}\n");
to("tabler.css", `${notice}\n/* Trimmed by vendor.mjs to what Carillon's pages use. */\n${css}`);

const icons = [...fs.readFileSync(path.join(views, "icon.go"), "utf8").matchAll(/Icon = "([\w-]+)"/g)].map((m) => m[1]);
const symbols = [...new Set(icons)].sort().map((name) => {
  const svg = from("@tabler/icons/icons/outline", `${name}.svg`);
  const inner = svg.replace(/^[\s\S]*?<svg[^>]*>/, "").replace(/<\/svg>\s*$/, "").replace(/<path stroke="none"[^>]*\/>/, "").replace(/\s*\n\s*/g, "").replace(/ \/>/g, "/>");
  return `<symbol id="${name}" viewBox="0 0 24 24">${inner}</symbol>`;
});
to("icons.svg", `<!-- Tabler Icons 3.51.0, MIT, Copyright (c) 2020-2026 Paweł Kuna -->\n<svg xmlns="http://www.w3.org/2000/svg">\n${symbols.join("\n")}\n</svg>\n`);

to("htmx.js", "/*! htmx 2.0.11, 0BSD, https://htmx.org */\n" + from("htmx.org/dist/htmx.min.js"));
fs.copyFileSync(path.join(modules, "@fontsource-variable/instrument-sans/files/instrument-sans-latin-wght-normal.woff2"), path.join(here, "instrument-sans.woff2"));
console.log(`tabler.css ${css.length} bytes of ${raw.length}, ${symbols.length} icons`);
