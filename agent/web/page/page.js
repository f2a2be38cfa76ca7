"use strict";
// All text that machines sent is shown as text: nodes are made by el(), and nothing here turns a string into markup.
(() => {
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const keepBoots = 400, keepMachines = matchMedia("(max-width: 900px)").matches ? 8 : 40;

const state = {
  status: null, boots: new Map(), skew: 0, contact: 0, lost: 0, live: false, token: null, showAll: false,
  as: "bios", menu: null, menuFor: "", begun: false,
};

// Characters that would change how the text around them looks are shown as what they are.
const odd = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
const clean = (s) => String(s ?? "").replace(odd, (c) => "\\u" + c.charCodeAt(0).toString(16).padStart(4, "0"));
const clip = (s, n) => { s = clean(s); return s.length > n ? s.slice(0, n) + "…" : s; };

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
  good: "M2.5 7.5l3 3 6-7", bad: "M3 3l8 8M11 3l-8 8", warn: "M7 2v6M7 11.2v.3", way: "M7 2a5 5 0 1 1-4.6 3", still: "M3 7h8", ask: "M4.5 5a2.5 2.5 0 1 1 3.2 2.4c-.5.2-.7.5-.7 1M7 11.4v.1",
};
function icon(name) {
  const s = document.createElementNS(SVG, "svg"), p = document.createElementNS(SVG, "path");
  s.setAttribute("viewBox", "0 0 14 14");
  s.setAttribute("aria-hidden", "true");
  p.setAttribute("d", shapes[name]);
  s.append(p);
  return s;
}
const badge = (kind, text) => el("span", { class: "badge " + kind }, icon(kind), text);

// ---- words and numbers
const now = () => Date.now() + state.skew;
const date = (t) => { const d = new Date(t || 0); return d.getTime() > 0 ? d : null; };
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
  return d ? el("time", { datetime: d.toISOString(), title: d.toLocaleString(), "data-ago": d.getTime() }, ago(t)) : el("span", {}, "never");
}
function lasted(s) {
  if (!(s >= 0)) return "–";
  if (s < 0.1) return Math.round(s * 1000) + " ms";
  if (s < 60) return s.toFixed(1) + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + Math.floor(s % 60) + " s";
  return Math.floor(s / 3600) + " h " + Math.floor(s % 3600 / 60) + " min";
}
function bytes(n) {
  if (!(n >= 0)) return "–";
  let u = 0;
  const units = ["B", "kB", "MB", "GB", "TB"];
  while (n >= 999.5 && u < 4) { n /= 1000; u++; }
  return (u === 0 || n >= 100 ? n.toFixed(0) : n.toFixed(1)) + " " + units[u];
}
const plural = (n, one, many) => `${n} ${n === 1 ? one : many || one + "s"}`;

const results = {
  "": ["way", "Under way"], booted: ["good", "Booted"], local_disk: ["still", "Local disk"], stalled: ["bad", "Stalled"], failed: ["bad", "Failed"], looped: ["bad", "Looped"],
};
const resultOf = (b) => results[b.result || ""] || ["still", clean(b.result)];
const unwell = (b) => resultOf(b)[0] === "bad";
const stages = { nbp: "Boot program", script: "Script", kernel: "Kernel", image: "Image" };
const clients = { bios: "BIOS", efi64: "UEFI x64", "efi-bc": "UEFI x64 (9)", efi32: "UEFI IA32", arm64: "UEFI ARM64", http64: "UEFI HTTP", ipxe: "iPXE" };
const clientName = (c) => clients[c] || clean(c);
const hops = [["offer", "Offer"], ["nbp", "Program"], ["script", "Script"], ["files", "Files"]];
const machineKey = (b) => b.mac || "addr " + b.addr;

// ---- keeping what a person has opened, chosen and focused while things move
function replace(box, ...nodes) {
  const open = new Set([...box.querySelectorAll("details[open][data-key]")].map((d) => d.dataset.key));
  const at = document.activeElement && box.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
  const inner = at && at.tagName === "DETAILS";
  const key = at && at.dataset.key;
  const tops = new Map([...box.querySelectorAll("[data-scroll]")].map((e) => [e.dataset.scroll, e.scrollTop]));
  const frag = document.createDocumentFragment();
  frag.append(...nodes.flat(3).filter(Boolean));
  for (const d of frag.querySelectorAll("details[data-key]")) if (open.has(d.dataset.key)) d.open = true;
  box.replaceChildren(frag);
  for (const e of box.querySelectorAll("[data-scroll]")) if (tops.has(e.dataset.scroll)) e.scrollTop = tops.get(e.dataset.scroll);
  if (key) {
    const e = [...box.querySelectorAll("[data-key]")].find((n) => n.dataset.key === key);
    const target = e && (inner ? e.querySelector("summary") : e);
    if (target) target.focus({ preventScroll: true });
  }
}
const details = (key, title, ...body) => el("details", { "data-key": key }, el("summary", {}, title), ...body);

const drawn = new Map();
// draw calls make only where what it draws is something else than the last time.
function draw(id, of, make) {
  const s = JSON.stringify(of);
  if (drawn.get(id) === s) return;
  drawn.set(id, s);
  replace($(id), make());
}

// say tells it to who cannot see it, not faster than it can be read out.
let toSay = [], saying = 0;
function say(text) {
  toSay.push(text);
  if (saying) return;
  saying = setTimeout(() => {
    saying = 0;
    $("say").textContent = toSay.length > 3 ? `${toSay.length} things happened; the last: ${toSay.at(-1)}` : toSay.join(". ");
    toSay = [];
  }, 700);
}

// ---- machines
function spanOf(b) {
  const from = +date(b.started);
  const to = b.result ? Math.max(+date(b.ended) || 0, +date(b.updated) || 0, from + 1) : Math.max(now(), +date(b.updated) || 0, from + 1000);
  return [from, to];
}

// spans are the stages, and what is under way: that has no stage yet.
function spans(b) {
  const list = (b.stages || []).map((s) => ({ stage: stages[s.stage] ? s.stage : "", start: date(s.start), end: date(s.end) }));
  if (b.fetching && !b.result) list.push({ stage: "live", start: date(b.updated), end: now() });
  return list;
}

// track draws them to scale; what it draws on may have been drawn on before.
function track(b, t) {
  const [from, to] = spanOf(b), list = spans(b);
  t ??= el("div", { class: "track", "aria-hidden": "true" });
  while (t.children.length > list.length) t.lastChild.remove();
  list.forEach((s, i) => {
    const e = t.children[i] || t.appendChild(el("div"));
    e.className = "span " + s.stage;
    e.style.left = Math.min(99.5, Math.max(0, 100 * (s.start - from) / (to - from))).toFixed(2) + "%";
    e.style.width = Math.max(0, 100 * (s.end - s.start) / (to - from)).toFixed(2) + "%";
  });
  return t;
}

const stageList = (b) => el("ol", { class: "stages", "aria-label": "Stages" }, (b.stages || []).map((s) => el("li", {},
  el("i", { class: s.stage, "aria-hidden": "true" }), stages[s.stage] || clean(s.stage), " ",
  el("span", { class: "num dim" }, `${lasted((date(s.end) - date(s.start)) / 1000)}, ${bytes(s.bytes)}` +
    (s.files > 1 ? `, ${s.files} files` : "") + (s.resent ? `, ${plural(s.resent, "packet")} again` : "")))));

const outcomes = { ok: "ok", size_probe: "size only", not_found: "not there", refused: "refused", aborted: "stopped", timeout: "went silent", error: "error" };
function files(b) {
  if (!b.files || !b.files.length) return null;
  const rows = b.files.map((f) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, bdi(f.name, 120))), el("td", {}, `${clean(f.artifact)}, ${clean(f.proto).toUpperCase()}`),
    el("td", { class: "num r" }, bytes(f.bytes)), el("td", { class: "num r" }, lasted((f.took_ns || 0) / 1e9)),
    el("td", {}, f.outcome === "ok" || f.outcome === "size_probe" ? outcomes[f.outcome] : el("span", { class: "tick wrong" }, icon("bad"), outcomes[f.outcome] || clean(f.outcome)))));
  return details("files " + b.id, plural(b.files.length + (b.more || 0), "file"), el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Files" }, el("table", {},
    el("caption", { class: "unseen" }, "Files of this boot"),
    el("thead", {}, el("tr", {}, ["File", "Kind", "Size", "Time", "Outcome"].map((t, i) => el("th", { scope: "col", class: i === 2 || i === 3 ? "r" : null }, t)))), el("tbody", {}, rows))),
  b.more ? el("p", { class: "dim" }, `and ${b.more} more`) : null);
}

function earlier(list, key) {
  if (!list.length) return null;
  const rows = list.slice(0, 20).map((b) => { const [kind, word] = resultOf(b), [from, to] = spanOf(b); return el("tr", {}, el("th", { scope: "row" }, when(b.started)), el("td", {}, badge(kind, word)),
    el("td", {}, bdi(b.item, 60), b.note && unwell(b) ? el("div", { class: "dim" }, bdi(b.note)) : ""), el("td", { class: "num r" }, lasted((to - from) / 1000))); });
  return details("earlier " + key, plural(list.length, "earlier boot"), el("table", {}, el("caption", { class: "unseen" }, "Earlier boots of this machine"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Began"), el("th", { scope: "col" }, "Result"), el("th", { scope: "col" }, "What"), el("th", { scope: "col", class: "r" }, "Time"))), el("tbody", {}, rows)));
}

const archOf = (b) => [{ bios: "BIOS", uefi: "UEFI", "uefi-http": "UEFI HTTP" }[b.firmware], b.arch && b.arch !== "unknown" ? clean(b.arch) : ""].filter(Boolean).join(" ");

function machine(m) {
  const b = m.boots[0], [kind, word] = resultOf(b), [from, to] = spanOf(b), f = b.facts || {};
  const name = b.host || m.name || b.mac || b.addr;
  const model = [f.manufacturer, f.product].filter(Boolean).join(" ");
  const facts = [name !== b.mac && b.mac, name !== b.addr && b.addr, archOf(b), model, b.profile && "profile " + b.profile].filter(Boolean);
  const time = el("b", { class: "num", "data-took": b.result ? null : from }, lasted((to - from) / 1000));
  const id = "m-" + m.number;
  return el("article", { class: `machine ${kind}`, "data-key": "machine " + m.key, "aria-labelledby": id },
    el("div", { class: "line" }, el("h3", { id }, bdi(name, 80)), badge(kind, word), b.item ? el("span", {}, bdi(b.item, 80)) : null,
      m.once ? el("span", { class: "once" }, "next: ", bdi(m.once, 60), " once") : null,
      el("span", { class: "took" }, time, " ", el("span", { class: "dim" }, when(b.started)))),
    el("p", { class: "facts" }, facts.map((t) => el("span", {}, bdi(t, 100)))),
    track(b), stageList(b),
    b.fetching && !b.result ? el("p", { class: "note dim" }, "fetching ", el("code", {}, bdi(b.fetching, 160))) : null,
    b.note || b.file && unwell(b) ? el("p", { class: "note" + (unwell(b) ? " bad" : "") }, b.file && unwell(b) ? [el("code", {}, bdi(b.file, 160)), " "] : "", bdi(b.note, 400)) : null,
    el("div", { class: "more" }, files(b), earlier(m.boots.slice(1), m.key)));
}

function machinesNow() {
  const by = new Map(), known = new Map(((state.status || {}).machines || []).map((m) => [m.mac, m]));
  for (const b of [...state.boots.values()].sort((a, b) => a.id < b.id ? 1 : -1)) {
    const key = machineKey(b);
    if (!by.has(key)) by.set(key, { key, boots: [], once: (known.get(b.mac) || {}).once, name: (known.get(b.mac) || {}).name });
    by.get(key).boots.push(b);
  }
  const all = [...by.values()];
  all.forEach((m) => { m.number = numberOf(m.key); });
  return all;
}
const numbers = new Map();
let lastNumber = 0;
function numberOf(key) {
  if (!numbers.has(key)) numbers.set(key, ++lastNumber);
  return numbers.get(key);
}

const cards = new Map(); // by machine: what was drawn, and the element
function drawMachines() {
  const words = $("find-text").value.trim().toLowerCase(), kind = $("find-kind").value, all = machinesNow();
  const found = all.filter((m) => {
    const b = m.boots[0], f = b.facts || {};
    if (kind === "way" && b.result || kind === "bad" && !unwell(b)) return false;
    return !words || [b.host, m.name, b.mac, b.addr, b.item, b.profile, f.product, f.manufacturer, f.serial].some((t) => String(t || "").toLowerCase().includes(words));
  });
  const shown = state.showAll ? found : found.slice(0, keepMachines);
  const box = $("machines-body");
  const parts = shown.map((m) => {
    const s = JSON.stringify([m.boots, m.once, m.name]);
    const old = cards.get(m.key);
    if (old && old.s === s) return old.e;
    const e = machine(m);
    cards.set(m.key, { s, e });
    return e;
  });
  const there = new Set(all.map((m) => m.key));
  for (const known of [cards, numbers]) for (const key of known.keys()) if (!there.has(key)) known.delete(key);
  if (!shown.length) parts.push(el("p", { class: "none" }, all.length ? "No machine fits." : "No machine has booted from here yet. Switch one on: its boot shows up here as it happens."));
  if (found.length > shown.length) {
    parts.push(el("p", { class: "rest", "data-key": "rest" }, el("button", { type: "button", class: "quiet", click: () => { state.showAll = true; drawMachines(); } }, `Show all ${found.length}`)));
  }
  const same = parts.length === box.children.length && parts.every((p, i) => p === box.children[i]);
  if (!same) replace(box, parts);
  summary();
}

// ---- in short
function summary() {
  const s = state.status, boots = [...state.boots.values()];
  const way = boots.filter((b) => !b.result).length, bad = boots.filter(unwell).length, good = boots.filter((b) => b.result === "booted").length;
  const parts = [];
  if (s) {
    const ok = s.networks.filter((n) => n.result === "ok").length, wrong = s.networks.some((n) => n.result && n.result !== "ok");
    parts.push(["Networks in order", s.networks.length ? `${ok} of ${s.networks.length}` : "none", wrong ? "bad" : "", "#road"]);
  }
  parts.push(["Boots under way", String(way), way ? "way" : ""], [`Booted, of the last ${boots.length}`, String(good), ""], ["Not well", String(bad), bad ? "bad" : ""]);
  if (s) {
    const failed = s.images.filter((i) => i.error).length;
    parts.push(["Images verified", `${s.images.filter((i) => date(i.verified) && !i.error).length} of ${s.images.length}`, failed ? "bad" : "", "#images"]);
  }
  draw("sum", parts, () => parts.map(([t, v, k, to]) => el("div", { class: k }, el("dt", {}, to ? el("a", { href: to, "data-key": to }, t) : t), el("dd", {}, k === "bad" ? el("span", { class: "sign", "aria-hidden": "true" }, "▲") : "", v))));
}

// ---- the wire
const marks = { ok: ["good", "ok"], wrong: ["bad", "wrong"], unknown: ["ask", "not known"] };
function tick(mark, small) {
  const [shape, word] = marks[mark] || ["still", "none"];
  return el("span", { class: `tick ${marks[mark] ? mark : "unknown"}${small ? " small" : ""}` }, icon(shape), el("span", {}, word));
}
const verdicts = { "": ["still", "Not checked yet"], ok: ["good", "All in order"], wrong: ["bad", "Something is wrong"], no_offer: ["bad", "No DHCP server answers"], error: ["bad", "Could not be checked"] };

function network(n, i) {
  const [kind, word] = verdicts[n.result] || verdicts[""];
  const every = n.every_seconds > 0 ? `checked every ${lasted(n.every_seconds).replace(/\.0 /, " ").replace(/ 0 s$/, "")}` : "checked when asked for";
  const wrong = n.clients.flatMap((c) => c.wrong || []);
  return el("div", { class: "net" },
    el("div", { class: "line" }, el("h3", {}, bdi(n.name, 60)), n.checking ? badge("way", "Checking") : badge(kind, word), n.checked ? el("span", { class: "dim num" }, when(n.checked)) : null),
    el("p", { class: "dim sub" }, n.next_server ? ["next-server ", el("code", {}, clean(n.next_server)), ", "] : "", every, n.watched ? "" : "; its DHCP server is not asked from here, only what comes after the offer"),
    n.error ? el("p", { class: "note bad" }, bdi(n.error, 400)) : null,
    [...new Set([...(n.foreign || []), ...wrong])].map((t) => el("p", { class: "note bad" }, bdi(t, 400))),
    n.clients.length ? el("table", {}, el("caption", { class: "unseen" }, "How far each kind of machine gets"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Machine"), hops.map((h) => el("th", { scope: "col" }, h[1])))),
      el("tbody", {}, n.clients.map((c) => el("tr", {}, el("th", { scope: "row" }, clientName(c.name)), hops.map(([h]) => el("td", {}, tick(c.state[h], true))))))) : null,
    n.clients.some((c) => c.steps.length) ? details("steps " + i, "Every step", el("div", { class: "steps" }, n.clients.map((c) => [
      el("h4", {}, clientName(c.name), c.want ? [" ", el("span", { class: "dim" }, "should be sent "), el("code", {}, bdi(c.want, 160))] : ""),
      el("ul", {}, c.steps.map((s) => el("li", {}, tick(s.ok ? "ok" : "wrong"), clean(s.stage), " ", el("code", {}, bdi(s.what, 160)), " ",
        el("span", { class: "dim num" }, s.bytes >= 0 ? bytes(s.bytes) + " " : ""), s.text ? el("span", { class: s.ok ? "dim" : "error" }, bdi(s.text, 300)) : "")),
      c.as ? el("li", { class: "dim" }, `and on as ${clientName(c.as)}`) : "", c.more ? el("li", { class: "dim" }, `and ${plural(c.more, "step")} more`) : "")]))) : null);
}

function drawRoad() {
  const nets = state.status.networks;
  draw("road-body", nets, () => nets.length ? nets.map(network) : el("p", { class: "none" }, "No network is checked. Set interface, and the DHCP server there is asked from time to time whether it still sends machines here."));
  $("check-now").disabled = nets.length > 0 && nets.every((n) => n.checking);
}

// ---- the menu
const platforms = { bios: ["A BIOS machine", "platform=pcbios&buildarch=i386"], efi: ["A UEFI x64 machine", "platform=efi&buildarch=x86_64"], arm: ["A UEFI ARM64 machine", "platform=efi&buildarch=arm64"] };
function viewers() {
  const list = Object.entries(platforms).map(([k, [name, query]]) => ({ key: k, name, query }));
  const seen = new Set();
  for (const m of machinesNow()) {
    const b = m.boots[0], f = b.facts || {}, q = new URLSearchParams();
    if (!b.mac || seen.has(b.mac)) continue;
    seen.add(b.mac);
    for (const [k, v] of Object.entries({ ...f, mac: b.mac })) if (v) q.set(k, v);
    if (!f.platform) q.set("platform", b.firmware === "bios" ? "pcbios" : "efi");
    if (!f.buildarch) q.set("buildarch", b.arch === "unknown" ? "x86_64" : b.arch);
    if (b.addr) q.set("addr", b.addr);
    list.push({ key: b.mac, name: clip(b.host || m.name || b.mac, 40), query: q.toString(), mac: b.mac });
  }
  for (const m of state.status.machines) {
    if (!/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/.test(m.mac) || seen.has(m.mac)) continue; // one known by its UUID has none
    seen.add(m.mac);
    list.push({ key: m.mac, name: clip(m.name || m.mac, 40), query: "platform=efi&buildarch=x86_64&mac=" + encodeURIComponent(m.mac), mac: m.mac });
  }
  return list.slice(0, 103);
}

function drawViewers() {
  const list = viewers(), select = $("as-machine");
  if (!list.some((v) => v.key === state.as)) state.as = "bios";
  const names = JSON.stringify(list.map((v) => [v.key, v.name]));
  if (drawn.get("as") !== names) {
    drawn.set("as", names);
    select.replaceChildren(...list.map((v) => el("option", { value: v.key }, v.name)));
  }
  select.value = state.as;
  const v = list.find((v) => v.key === state.as);
  const want = JSON.stringify([v, state.status.menu, state.status.machines, state.status.config]);
  if (state.menuFor !== want) { state.menuFor = want; loadMenu(v, want); }
}

async function loadMenu(v, want) {
  try {
    const m = await fetchJSON("/api/v1/menu?" + v.query);
    if (state.menuFor === want) { state.menu = m; drawMenu(v); }
  } catch { if (state.menuFor === want) state.menuFor = ""; }
}

function drawMenu(v) {
  const m = state.menu, s = state.status;
  const pending = (s.machines.find((x) => v.mac && x.mac === v.mac) || {}).once;
  draw("menu-body", [m, v, s.menu, pending, !!state.token], () => [
    m.error || s.menu.error ? el("p", { class: "note bad" }, bdi(m.error || s.menu.error, 400)) : null,
    el("div", { class: "screen", "data-scroll": "menu" }, el("p", {}, m.straight ? "No menu: this is booted at once" : bdi(m.title || "Network boot", 100)),
      el("ul", { "aria-label": "Items of the menu" }, m.items.filter((i) => m.straight ? i.key === m.chosen : i.shown).map((i, n, all) => {
        const chosen = i.key === m.chosen, group = i.group && (!n || all[n - 1].group !== i.group);
        return [group ? el("li", { class: "group" }, bdi(i.group, 100)) : null,
          el("li", { class: chosen ? "chosen" : null, "aria-current": chosen ? "true" : null }, bdi(i.title, 120),
            i.installs ? el("small", {}, "overwrites the machine's disk") : "",
            chosen && !m.straight ? el("small", {}, m.timeout_seconds > 0 ? `chosen after ${lasted(m.timeout_seconds).replace(".0 ", " ")}` : "chosen, when somebody says so") : "",
            i.why ? el("small", {}, bdi(i.why, 200)) : "")];
      }))),
    el("div", { class: "under" },
      m.host || m.profile ? el("p", {}, m.host ? ["host ", bdi(m.host, 80)] : "", m.host && m.profile ? ", " : "", m.profile ? ["profile ", bdi(m.profile, 80)] : "") : null,
      pending ? el("p", { class: "once" }, "Next time, once: ", bdi(pending, 80)) : null,
      m.items.some((i) => !i.shown) ? details("hidden", `Not shown to it: ${m.items.filter((i) => !i.shown).length}`, el("ul", {}, m.items.filter((i) => !i.shown).map((i) => el("li", {}, bdi(i.title, 120), i.why ? el("span", { class: "dim" }, ", ", bdi(i.why, 200)) : "")))) : null,
      m.why && m.why.length ? details("why", "Why this menu", el("ul", {}, m.why.map((w) => el("li", {}, bdi(w, 300))))) : null,
      state.token && v.mac ? onceForm(v, m, pending) : null,
      m.script ? details("script", "The script", el("pre", { tabindex: "0", role: "region", "aria-label": "Script", "data-scroll": "script", "data-key": "script-text" }, m.script)) : null)]);
}

function onceForm(v, m, pending) {
  const select = el("select", { id: "once-item", "data-key": "once-item" }, m.items.map((i) => el("option", { value: i.key }, clip(i.title, 60))));
  const send = (item) => async (e) => {
    e.preventDefault();
    if (await act("/api/v1/once", { mac: v.mac, item: item === null ? select.value : item })) say(item === "" ? "It boots as ever" : "It will boot that next time");
  };
  return el("form", { submit: send(null) }, el("label", { for: "once-item" }, "Next time, once"), select, el("button", { type: "submit", "data-key": "once-set" }, "Boot once"),
    pending ? el("button", { type: "button", class: "quiet", "data-key": "once-no", click: send("") }, "Take back") : null);
}

// ---- images, events, configuration
function drawImages() {
  const list = state.status.images;
  draw("images-body", list, () => list.length ? el("div", { class: "wide" }, el("table", {}, el("caption", { class: "unseen" }, "Images on disk"),
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Image"), el("th", { scope: "col", class: "r" }, "Size"), el("th", { scope: "col" }, "Added"), el("th", { scope: "col" }, "Verified"))),
    el("tbody", {}, list.map((i) => el("tr", {}, el("th", { scope: "row" }, bdi(i.title || i.key, 120), i.version && !String(i.title).includes(i.version) ? el("div", { class: "dim" }, bdi(i.version, 60)) : ""),
      el("td", { class: "num r" }, bytes(i.bytes)), el("td", { class: "num" }, date(i.added) ? when(i.added) : "–"),
      el("td", {}, i.error ? [badge("bad", "Failed"), el("div", { class: "error" }, bdi(i.error, 200))]
        : date(i.verified) ? el("span", { class: "tick ok" }, icon("good"), when(i.verified)) : el("span", { class: "tick unknown" }, icon("ask"), i.recipe ? "never" : "put by hand"))))))) : el("p", { class: "none" }, "No images yet."));
}

const kinds = { start: "Start", config: "Config", loop: "Loop", foreign: "DHCP", check: "Check", boot: "Boot", action: "Action" };
function drawEvents() {
  const list = state.status.events;
  draw("events-body", list, () => list.length ? el("ol", { "data-scroll": "events", tabindex: "0", role: "list", "aria-label": "Events, the newest first", "data-key": "events" }, list.map((e) => el("li", {}, when(e.at),
    e.bad ? el("span", { class: "tick wrong" }, icon("warn"), kinds[e.kind] || clean(e.kind)) : el("span", { class: "dim" }, kinds[e.kind] || clean(e.kind)), bdi(e.text, 500)))) : el("p", { class: "none" }, "Nothing yet."));
}

function drawConfig() {
  const s = state.status;
  draw("config-body", [s.settings, s.config, s.agent], () => [
    s.config.ok ? null : el("p", { class: "note bad" }, "The file has a mistake; what is shown is in force. ", bdi(s.config.error, 400)),
    el("div", { class: "wide", tabindex: "0", role: "region", "aria-label": "Settings", "data-scroll": "config", "data-key": "config" }, el("table", {}, el("caption", { class: "unseen" }, "What is configured"),
      el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Key"), el("th", { scope: "col" }, "Value"), el("th", { scope: "col" }, "From"))),
      el("tbody", {}, s.settings.map((k) => el("tr", {}, el("th", { scope: "row" }, el("code", {}, clean(k.key))), el("td", {}, bdi(k.value, 200)), el("td", { class: "dim" }, bdi(k.from, 100)))))))]);
}

function drawAlarm() {
  const s = state.status, lines = [];
  if (!s.config.ok) lines.push("The configuration has a mistake, and the last good one is kept: " + s.config.error);
  if (!s.menu.ok) lines.push("The menu is not the one that is configured: " + s.menu.error);
  if (s.agent.version !== document.body.dataset.version) lines.push("pxeagent was replaced by another version. Load this page again.");
  draw("alarm", lines, () => lines.map((t) => el("p", {}, bdi(t, 500))));
  $("alarm").hidden = lines.length === 0;
}

// ---- taking in what comes
function takeStatus(s) {
  if (s.at && date(s.at)) state.skew = date(s.at) - Date.now();
  const old = state.status;
  state.status = s;
  $("host").textContent = [s.agent.host, s.agent.version, "up since " + new Date(s.agent.started).toLocaleString()].filter(Boolean).map(clean).join(" · ");
  if (old) {
    for (const n of s.networks) {
      const before = old.networks.find((o) => o.name === n.name);
      if (before && before.result !== n.result) say(`Network ${clip(n.name, 40)}: ${(verdicts[n.result] || verdicts[""])[1]}`);
    }
  }
  $("acts").hidden = !s.actions;
  $("check-now").hidden = !state.token;
  drawRoad(); drawImages(); drawEvents(); drawConfig(); drawAlarm(); drawViewers(); drawMachines();
}

function takeBoot(b) {
  if (!b || !b.id) return;
  if (b.into) { state.boots.delete(b.id); return; } // it is none any more
  const old = state.boots.get(b.id);
  state.boots.set(b.id, b);
  if (state.boots.size > keepBoots) {
    const ids = [...state.boots.keys()].sort();
    for (const id of ids.slice(0, state.boots.size - keepBoots)) state.boots.delete(id);
  }
  if (old && (old.result || "") === (b.result || "")) return;
  say(`${clip(b.host || b.mac || b.addr, 40)}: ${resultOf(b)[1]}`);
}

// takeBoots replaces all boots: those that are not in the list are kept no longer, or were part of another.
function takeBoots(list) {
  state.boots = new Map(list.map((b) => [b.id, b]));
}

let queued = 0;
function soon() { // many boots at once are drawn together
  if (!queued) queued = setTimeout(() => { queued = 0; drawMachines(); if (state.status) drawViewers(); }, 60);
}

async function fetchJSON(path) {
  const r = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (!r.ok) throw new Error(r.status);
  return r.json();
}

// poll asks for what the stream would say, while there is none. Once there is one, an answer says no more than that the daemon is there:
// what came by the stream since may be newer.
let polling = null;
function poll() {
  polling ??= (async () => {
    try {
      const [s, b] = await Promise.all([fetchJSON("/api/v1/status"), fetchJSON("/api/v1/boots?limit=" + keepBoots).catch(() => ({ boots: [] }))]);
      met();
      if (!state.live) { takeBoots(b.boots); takeStatus(s); }
    } catch { missed(); } finally { polling = null; }
  })();
  return polling;
}

function met() {
  state.contact = heard = Date.now();
  if (state.lost) say("Contact with pxeagent is back");
  state.lost = 0;
  contact();
}
function missed() {
  if (!state.lost) { state.lost = state.contact || Date.now(); say("Contact with pxeagent was lost"); }
  contact();
}
function contact() {
  const p = $("contact"), to = state.lost ? "lost" : state.live ? "live" : "still";
  p.dataset.state = to;
  const text = state.lost ? `No contact since ${hms(new Date(state.lost))}, trying again` : state.live ? "Live" : "Connecting";
  if ($("contact-text").textContent !== text) $("contact-text").textContent = text;
}

// The stream begins with all boots and the status, and goes on with what changes. The status comes at least every 15 seconds.
const silence = 20000;
let source = null, again = 0, wait = 1000, heard = 0;
function follow() {
  clearTimeout(again);
  if (source) source.close();
  heard = Date.now();
  source = new EventSource("/api/v1/events");
  source.onopen = () => { wait = 1000; state.live = true; met(); };
  source.addEventListener("boots", (e) => { met(); takeBoots(JSON.parse(e.data)); soon(); });
  source.addEventListener("boot", (e) => { met(); takeBoot(JSON.parse(e.data)); soon(); });
  source.addEventListener("status", (e) => { met(); takeStatus(JSON.parse(e.data)); });
  source.onerror = reconnect;
}
function reconnect() {
  state.live = false;
  source.close();
  // Either the daemon is away, or it has too many readers: asking tells which.
  poll();
  heard = Date.now();
  clearTimeout(again);
  again = setTimeout(follow, wait);
  wait = Math.min(wait * 1.5, 8000);
  contact();
}

// ---- acting
async function act(path, body) {
  let r;
  try {
    r = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json", Authorization: "Bearer " + state.token }, body: JSON.stringify(body || {}), signal: AbortSignal.timeout(8000) });
  } catch { missed(); return false; }
  if (r.ok) { if (!state.live) poll(); return true; }
  const why = clip((await r.text()).trim(), 200);
  if (r.status === 401) lock();
  say(why);
  $("key-error").textContent = why;
  if (r.status === 401 && !$("key").open) $("key").showModal();
  return false;
}
function lock() {
  state.token = null;
  sessionStorage.removeItem("token");
  locked();
}
function locked() {
  $("unlock").textContent = state.token ? "Lock" : "Unlock";
  $("check-now").hidden = !state.token;
  if (state.status) { state.menuFor = ""; drawViewers(); }
}

$("unlock").addEventListener("click", () => {
  if (state.token) { lock(); return; }
  $("key-error").textContent = "";
  $("key-token").value = "";
  $("key").showModal();
});
$("key-cancel").addEventListener("click", () => $("key").close());
$("key-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  state.token = $("key-token").value.trim();
  if (!state.token) return;
  if (!/^[\x21-\x7e]+$/.test(state.token)) { state.token = null; $("key-error").textContent = "A token has no blanks, and none but ASCII characters"; return; }
  if (await act("/api/v1/token")) {
    sessionStorage.setItem("token", state.token);
    $("key-token").value = "";
    $("key").close();
    locked();
  } else if (state.token) state.token = null;
});
$("check-now").addEventListener("click", async () => { if (await act("/api/v1/check")) say("Checking"); });
$("as-machine").addEventListener("change", () => { state.as = $("as-machine").value; drawViewers(); });
$("find-text").addEventListener("input", drawMachines);
$("find-kind").addEventListener("change", drawMachines);

// Times grow old, boots under way grow longer, and a stream that is silent is looked after.
setInterval(() => {
  for (const t of document.querySelectorAll("time[data-ago]")) { const s = ago(+t.dataset.ago); if (t.textContent !== s) t.textContent = s; }
  for (const b of document.querySelectorAll("[data-took]")) b.textContent = lasted((now() - b.dataset.took) / 1000);
  for (const m of machinesNow()) {
    const card = cards.get(m.key);
    if (card && !m.boots[0].result) track(m.boots[0], card.e.querySelector(".track"));
  }
  if (Date.now() - heard > silence) reconnect();
}, 1000);
addEventListener("pagehide", () => { if (source) source.close(); });
addEventListener("pageshow", (e) => { if (e.persisted) follow(); });

try { state.token = sessionStorage.getItem("token"); } catch { /* a browser that keeps nothing */ }
for (const id of ["find", "legend", "as"]) $(id).hidden = false;
locked();
contact();
follow();
})();
