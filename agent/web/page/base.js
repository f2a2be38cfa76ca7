// What every panel uses. index.go joins the parts of the script into one function. All text that machines sent is shown
// as text: nodes are made by el(), and nothing here turns a string into markup.
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const keepBoots = 400,
  keepMachines = matchMedia("(max-width: 900px)").matches ? 8 : 40;

const state = {
  status: null,
  boots: new Map(),
  skew: 0,
  contact: 0,
  lost: 0,
  live: false,
  token: null,
  showAll: false,
  as: "bios",
  menu: null,
  menuFor: "",
};

// Characters that would change how the text around them looks are shown as what they are.
const odd = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const clean = (s) => String(s ?? "").replace(odd, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const clip = (s, n) => {
  s = clean(s);
  return s.length > n ? s.slice(0, n) + "…" : s;
};

// el makes an element. In props a function listens, anything else is an attribute; children are nodes, or text.
function el(tag, props, ...children) {
  const e = document.createElement(tag);
  for (const [k, v] of Object.entries(props || {})) {
    if (v === null || v === undefined || v === false) continue;
    if (typeof v === "function") e.addEventListener(k, v);
    else e.setAttribute(k, v === true ? "" : v);
  }
  e.append(...children.flat(3).filter((c) => c !== null && c !== undefined && c !== false && c !== ""));
  return e;
}
const bdi = (s, n = 200) => el("bdi", { title: String(s ?? "").length > n ? clip(s, 1000) : null }, clip(s, n));

const shapes = {
  good: "M2.5 7.5l3 3 6-7",
  bad: "M3 3l8 8M11 3l-8 8",
  warn: "M7 2v6M7 11.2v.3",
  way: "M7 2a5 5 0 1 1-4.6 3",
  still: "M3 7h8",
  ask: "M4.5 5a2.5 2.5 0 1 1 3.2 2.4c-.5.2-.7.5-.7 1M7 11.4v.1",
};
function icon(name) {
  const s = document.createElementNS(SVG, "svg"),
    p = document.createElementNS(SVG, "path");
  s.setAttribute("viewBox", "0 0 14 14");
  s.setAttribute("aria-hidden", "true");
  p.setAttribute("d", shapes[name]);
  s.append(p);
  return s;
}
const badge = (kind, text) => el("span", { class: "badge " + kind }, icon(kind), text);

// ---- words and numbers
const now = () => Date.now() + state.skew;
const date = (t) => {
  const d = new Date(t || 0);
  return d.getTime() > 0 ? d : null;
};
const two = (n) => String(n).padStart(2, "0");
const hms = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
function ago(t) {
  const d = date(t);
  if (!d) return "never";
  const s = Math.max(0, Math.round((now() - d) / 1000));
  if (s < 5) return "now";
  if (s < 60) return s + " s ago";
  if (s < 3600) return Math.floor(s / 60) + " min ago";
  if (s < 86400) return Math.floor(s / 3600) + " h ago";
  return Math.floor(s / 86400) + " d ago";
}
function when(t) {
  const d = date(t);
  return d
    ? el("time", { datetime: d.toISOString(), title: d.toLocaleString(), "data-ago": d.getTime() }, ago(t))
    : el("span", {}, "never");
}
function lasted(s) {
  if (!(s >= 0)) return "–";
  if (s < 0.1) return Math.round(s * 1000) + " ms";
  if (s < 60) return s.toFixed(1) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
}
function bytes(n) {
  if (!(n >= 0)) return "–";
  let u = 0;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  while (n >= 1024 && u < 4) {
    n /= 1024;
    u++;
  }
  return (u === 0 || n >= 10 ? n.toFixed(0) : n.toFixed(1)) + " " + units[u];
}
const plural = (n, one, many) => `${n} ${n === 1 ? one : many || one + "s"}`;

const results = {
  "": ["way", "Under way"],
  booted: ["good", "Booted"],
  local_disk: ["still", "Local disk"],
  stalled: ["bad", "Stalled"],
  failed: ["bad", "Failed"],
  looped: ["bad", "Looped"],
};
const resultOf = (b) => results[b.result || ""] || ["still", clean(b.result)];
const hasProblem = (b) => resultOf(b)[0] === "bad";
const stages = { nbp: "NBP", script: "Script", kernel: "Kernel", image: "Image" };
const clients = {
  bios: "BIOS",
  efi64: "UEFI x64",
  "efi-bc": "UEFI x64 (9)",
  efi32: "UEFI IA32",
  arm64: "UEFI ARM64",
  http64: "UEFI HTTP",
  "http-arm64": "UEFI HTTP ARM64",
  ipxe: "iPXE",
};
const clientName = (c) => clients[c] || clean(c);
const pathSteps = [
  ["offer", "Offer"],
  ["nbp", "NBP"],
  ["script", "Script"],
  ["files", "Files"],
];
const machineKey = (b) => b.mac || "addr " + b.addr;

// ---- what a person has opened, scrolled and focused stays so when a panel is drawn again
function replace(box, ...nodes) {
  const open = new Set([...box.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key));
  const at =
    document.activeElement && box.contains(document.activeElement)
      ? document.activeElement.closest("[data-key]")
      : null;
  const inner = at && at.tagName === "DETAILS";
  const key = at && at.dataset.key;
  const tops = new Map([...box.querySelectorAll("[data-scroll]")].map((e) => [e.dataset.scroll, e.scrollTop]));
  const frag = document.createDocumentFragment();
  frag.append(...nodes.flat(3).filter(Boolean));
  for (const d of frag.querySelectorAll("details[data-key]")) if (open.has(d.dataset.key)) d.open = true;
  box.replaceChildren(frag);
  for (const e of box.querySelectorAll("[data-scroll]"))
    if (tops.has(e.dataset.scroll)) e.scrollTop = tops.get(e.dataset.scroll);
  if (key) {
    const e = [...box.querySelectorAll("[data-key]")].find((n) => n.dataset.key === key);
    const target = e && (inner ? e.querySelector("summary") : e);
    if (target) target.focus({ preventScroll: true });
  }
}
// table has a heading for each column, "name" or ">name" for one that is aligned to the right; rows are elements.
function table(caption, columns, rows) {
  const heading = (name) =>
    el("th", { scope: "col", class: name.startsWith(">") ? "r" : null }, name.replace(/^>/, ""));
  return el(
    "table",
    {},
    el("caption", { class: "unseen" }, caption),
    el("thead", {}, el("tr", {}, columns.map(heading))),
    el("tbody", {}, rows),
  );
}
const details = (key, title, ...body) => el("details", { "data-key": key }, el("summary", {}, title), ...body);

const drawn = new Map();
// draw calls make only when what it draws has changed.
function draw(id, of, make) {
  const s = JSON.stringify(of);
  if (drawn.get(id) === s) return;
  drawn.set(id, s);
  replace($(id), make());
}

// say tells a screen reader, no faster than it can read aloud.
let toSay = [],
  saying = 0;
function say(text) {
  toSay.push(text);
  if (saying) return;
  saying = setTimeout(() => {
    saying = 0;
    $("say").textContent = toSay.length > 3 ? `${toSay.length} events; the last: ${toSay.at(-1)}` : toSay.join(". ");
    toSay = [];
  }, 700);
}
