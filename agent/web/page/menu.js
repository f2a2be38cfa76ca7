// ---- the menu
const platforms = {
  bios: ["A BIOS machine", "platform=pcbios&buildarch=i386"],
  efi: ["A UEFI x64 machine", "platform=efi&buildarch=x86_64"],
  arm: ["A UEFI ARM64 machine", "platform=efi&buildarch=arm64"],
};
function viewers() {
  const list = Object.entries(platforms).map(([k, [name, query]]) => ({ key: k, name, query }));
  const seen = new Set();
  for (const m of machinesNow()) {
    const b = m.boots[0],
      f = b.facts || {},
      q = new URLSearchParams();
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
    list.push({
      key: m.mac,
      name: clip(m.name || m.mac, 40),
      query: "platform=efi&buildarch=x86_64&mac=" + encodeURIComponent(m.mac),
      mac: m.mac,
    });
  }
  return list.slice(0, 103);
}

function drawViewers() {
  const list = viewers(),
    select = $("as-machine");
  if (!list.some((v) => v.key === state.as)) state.as = "bios";
  const names = JSON.stringify(list.map((v) => [v.key, v.name]));
  if (drawn.get("as") !== names) {
    drawn.set("as", names);
    select.replaceChildren(...list.map((v) => el("option", { value: v.key }, v.name)));
  }
  select.value = state.as;
  const v = list.find((v) => v.key === state.as);
  const want = JSON.stringify([v, state.status.menu, state.status.machines, state.status.config]);
  if (state.menuFor !== want) {
    state.menuFor = want;
    loadMenu(v, want);
  }
}

async function loadMenu(v, want) {
  try {
    const m = await fetchJSON("/api/v1/menu?" + v.query);
    if (state.menuFor === want) {
      state.menu = m;
      drawMenu(v);
    }
  } catch {
    if (state.menuFor === want) state.menuFor = "";
  }
}

function drawMenu(v) {
  const m = state.menu,
    s = state.status;
  const pending = (s.machines.find((x) => v.mac && x.mac === v.mac) || {}).once;
  draw("menu-body", [m, v, s.menu, pending, !!state.token], () => [
    m.error || s.menu.error ? el("p", { class: "note bad" }, bdi(m.error || s.menu.error, 400)) : null,
    el(
      "div",
      { class: "screen", "data-scroll": "menu" },
      el("p", {}, m.straight ? "No menu: this is booted at once" : bdi(m.title || "Network boot", 100)),
      el(
        "ul",
        { "aria-label": "Items of the menu" },
        m.items
          .filter((i) => (m.straight ? i.key === m.chosen : i.shown))
          .map((i, n, all) => {
            const chosen = i.key === m.chosen,
              group = i.group && (!n || all[n - 1].group !== i.group);
            return [
              group ? el("li", { class: "group" }, bdi(i.group, 100)) : null,
              el(
                "li",
                { class: chosen ? "chosen" : null, "aria-current": chosen ? "true" : null },
                bdi(i.title, 120),
                i.installs ? el("small", {}, "overwrites the machine's disk") : "",
                chosen && !m.straight
                  ? el(
                      "small",
                      {},
                      m.timeout_seconds > 0
                        ? `booted after ${lasted(m.timeout_seconds).replace(".0 ", " ")}`
                        : "selected; waits for a key",
                    )
                  : "",
                i.why ? el("small", {}, bdi(i.why, 200)) : "",
              ),
            ];
          }),
      ),
    ),
    el(
      "div",
      { class: "under" },
      m.host || m.profile
        ? el(
            "p",
            {},
            m.host ? ["host ", bdi(m.host, 80)] : "",
            m.host && m.profile ? ", " : "",
            m.profile ? ["profile ", bdi(m.profile, 80)] : "",
          )
        : null,
      pending ? el("p", { class: "once" }, "One-time boot: ", bdi(pending, 80)) : null,
      m.items.some((i) => !i.shown)
        ? details(
            "hidden",
            `Hidden from it: ${m.items.filter((i) => !i.shown).length}`,
            el(
              "ul",
              {},
              m.items
                .filter((i) => !i.shown)
                .map((i) =>
                  el("li", {}, bdi(i.title, 120), i.why ? el("span", { class: "dim" }, ", ", bdi(i.why, 200)) : ""),
                ),
            ),
          )
        : null,
      m.why && m.why.length
        ? details(
            "why",
            "Why this menu",
            el(
              "ul",
              {},
              m.why.map((w) => el("li", {}, bdi(w, 300))),
            ),
          )
        : null,
      state.token && v.mac ? onceForm(v, m, pending) : null,
      m.script
        ? details(
            "script",
            "The script",
            el(
              "pre",
              {
                tabindex: "0",
                role: "region",
                "aria-label": "Script",
                "data-scroll": "script",
                "data-key": "script-text",
              },
              m.script,
            ),
          )
        : null,
    ),
  ]);
}

function onceForm(v, m, pending) {
  const select = el(
    "select",
    { id: "once-item", "data-key": "once-item" },
    m.items.map((i) => el("option", { value: i.key }, clip(i.title, 60))),
  );
  const send = (item) => async (e) => {
    e.preventDefault();
    if (await act("/api/v1/once", { mac: v.mac, item: item === null ? select.value : item }))
      say(item === "" ? "One-time boot canceled" : "One-time boot set");
  };
  return el(
    "form",
    { submit: send(null) },
    el("label", { for: "once-item" }, "One-time boot"),
    select,
    el("button", { type: "submit", "data-key": "once-set" }, "Boot once"),
    pending ? el("button", { type: "button", class: "quiet", "data-key": "once-no", click: send("") }, "Cancel") : null,
  );
}
