// ---- machines
function spanOf(b) {
  const from = +date(b.started);
  const to = b.result
    ? Math.max(+date(b.ended) || 0, +date(b.updated) || 0, from + 1)
    : Math.max(now(), +date(b.updated) || 0, from + 1000);
  return [from, to];
}

// spans are the stages, and the transfer under way, which has no stage yet.
function spans(b) {
  const list = (b.stages || []).map((s) => ({
    stage: stages[s.stage] ? s.stage : "",
    start: date(s.start),
    end: date(s.end),
  }));
  if (b.fetching && !b.result) list.push({ stage: "live", start: date(b.updated), end: now() });
  return list;
}

// track draws them to scale, on t if it is given.
function track(b, t) {
  const [from, to] = spanOf(b),
    list = spans(b);
  t ??= el("div", { class: "track", "aria-hidden": "true" });
  while (t.children.length > list.length) t.lastChild.remove();
  list.forEach((s, i) => {
    const e = t.children[i] || t.appendChild(el("div"));
    e.className = "span " + s.stage;
    e.style.left = Math.min(99.5, Math.max(0, (100 * (s.start - from)) / (to - from))).toFixed(2) + "%";
    e.style.width = Math.max(0, (100 * (s.end - s.start)) / (to - from)).toFixed(2) + "%";
  });
  return t;
}

const stageList = (b) =>
  el(
    "ol",
    { class: "stages", "aria-label": "Stages" },
    (b.stages || []).map((s) =>
      el(
        "li",
        {},
        el("i", { class: s.stage, "aria-hidden": "true" }),
        stages[s.stage] || clean(s.stage),
        " ",
        el(
          "span",
          { class: "num dim" },
          `${lasted((date(s.end) - date(s.start)) / 1000)}, ${bytes(s.bytes)}` +
            (s.files > 1 ? `, ${s.files} files` : "") +
            (s.resent ? `, ${plural(s.resent, "packet")} resent` : ""),
        ),
      ),
    ),
  );

const outcomes = {
  ok: "ok",
  size_probe: "size only",
  not_found: "not found",
  optional: "not there, not needed",
  refused: "refused",
  aborted: "aborted",
  timeout: "timeout",
  error: "error",
};
function files(b) {
  if (!b.files || !b.files.length) return null;
  const rows = b.files.map((f) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, el("code", {}, bdi(f.name, 120))),
      el("td", {}, `${clean(f.artifact)}, ${clean(f.proto).toUpperCase()}`),
      el("td", { class: "num r" }, bytes(f.bytes)),
      el("td", { class: "num r" }, lasted((f.took_ns || 0) / 1e9)),
      el(
        "td",
        {},
        ["ok", "size_probe", "optional"].includes(f.outcome)
          ? outcomes[f.outcome]
          : el("span", { class: "tick wrong" }, icon("bad"), outcomes[f.outcome] || clean(f.outcome)),
      ),
    ),
  );
  return details(
    "files " + b.id,
    plural(b.files.length + (b.more || 0), "file"),
    el(
      "div",
      { class: "wide", tabindex: "0", role: "region", "aria-label": "Files" },
      table("Files of this boot", ["File", "Kind", ">Size", ">Time", "Outcome"], rows),
    ),
    b.more ? el("p", { class: "dim" }, `and ${b.more} more`) : null,
  );
}

function earlier(list, key) {
  if (!list.length) return null;
  const rows = list.slice(0, 20).map((b) => {
    const [kind, word] = resultOf(b),
      [from, to] = spanOf(b);
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, when(b.started)),
      el("td", {}, badge(kind, word)),
      el("td", {}, bdi(b.item, 60), b.note && hasProblem(b) ? el("div", { class: "dim" }, bdi(b.note)) : ""),
      el("td", { class: "num r" }, lasted((to - from) / 1000)),
    );
  });
  return details(
    "earlier " + key,
    plural(list.length, "earlier boot"),
    table("Earlier boots of this machine", ["Started", "Result", "Item", ">Time"], rows),
  );
}

const archOf = (b) =>
  [
    { bios: "BIOS", uefi: "UEFI", "uefi-http": "UEFI HTTP", "u-boot": "U-Boot" }[b.firmware],
    b.arch && b.arch !== "unknown" ? clean(b.arch) : "",
  ]
    .filter(Boolean)
    .join(" ");

function machine(m) {
  const b = m.boots[0],
    [kind, word] = resultOf(b),
    [from, to] = spanOf(b),
    f = b.facts || {};
  const name = b.host || m.name || b.mac || b.addr;
  const model = [f.manufacturer, f.product].filter(Boolean).join(" ");
  const facts = [
    name !== b.mac && b.mac,
    name !== b.addr && b.addr,
    archOf(b),
    model,
    b.profile && "profile " + b.profile,
  ].filter(Boolean);
  const time = el("b", { class: "num", "data-took": b.result ? null : from }, lasted((to - from) / 1000));
  const id = "m-" + m.number;
  return el(
    "article",
    { class: `machine ${kind}`, "data-key": "machine " + m.key, "aria-labelledby": id },
    el(
      "div",
      { class: "line" },
      el("h3", { id }, bdi(name, 80)),
      badge(kind, word),
      b.item ? el("span", {}, bdi(b.item, 80)) : null,
      m.once ? el("span", { class: "once" }, "next: ", bdi(m.once, 60), " (one-time)") : null,
      el("span", { class: "took" }, time, " ", el("span", { class: "dim" }, when(b.started))),
    ),
    el(
      "p",
      { class: "facts" },
      facts.map((t) => el("span", {}, bdi(t, 100))),
    ),
    track(b),
    stageList(b),
    b.fetching && !b.result ? el("p", { class: "note dim" }, "fetching ", el("code", {}, bdi(b.fetching, 160))) : null,
    b.note || (b.file && hasProblem(b))
      ? el(
          "p",
          { class: "note" + (hasProblem(b) ? " bad" : "") },
          b.file && hasProblem(b) ? [el("code", {}, bdi(b.file, 160)), " "] : "",
          bdi(b.note, 400),
        )
      : null,
    el("div", { class: "more" }, files(b), earlier(m.boots.slice(1), m.key)),
  );
}

function machinesNow() {
  const by = new Map(),
    known = new Map(((state.status || {}).machines || []).map((m) => [m.mac, m]));
  for (const b of [...state.boots.values()].sort((a, b) => (a.id < b.id ? 1 : -1))) {
    const key = machineKey(b);
    if (!by.has(key))
      by.set(key, { key, boots: [], once: (known.get(b.mac) || {}).once, name: (known.get(b.mac) || {}).name });
    by.get(key).boots.push(b);
  }
  const all = [...by.values()];
  all.forEach((m) => {
    m.number = numberOf(m.key);
  });
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
  const words = $("find-text").value.trim().toLowerCase(),
    kind = $("find-kind").value,
    all = machinesNow();
  const found = all.filter((m) => {
    const b = m.boots[0],
      f = b.facts || {};
    if ((kind === "way" && b.result) || (kind === "bad" && !hasProblem(b))) return false;
    return (
      !words ||
      [b.host, m.name, b.mac, b.addr, b.item, b.profile, f.product, f.manufacturer, f.serial].some((t) =>
        String(t || "")
          .toLowerCase()
          .includes(words),
      )
    );
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
  if (!shown.length)
    parts.push(
      el(
        "p",
        { class: "none" },
        all.length
          ? "No machine matches."
          : "No machine has booted from here yet. Switch one on, and its boot is shown here as it happens.",
      ),
    );
  if (found.length > shown.length) {
    parts.push(
      el(
        "p",
        { class: "rest", "data-key": "rest" },
        el(
          "button",
          {
            type: "button",
            class: "quiet",
            click: () => {
              state.showAll = true;
              drawMachines();
            },
          },
          `Show all ${found.length}`,
        ),
      ),
    );
  }
  const same = parts.length === box.children.length && parts.every((p, i) => p === box.children[i]);
  if (!same) replace(box, parts);
  summary();
}
