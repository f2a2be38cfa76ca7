// ---- summary
function summary() {
  const s = state.status,
    boots = [...state.boots.values()];
  const way = boots.filter((b) => !b.result).length,
    bad = boots.filter(hasProblem).length,
    good = boots.filter((b) => b.result === "booted").length;
  const parts = [];
  if (s) {
    const ok = s.networks.filter((n) => n.result === "ok").length,
      wrong = s.networks.some((n) => n.result && n.result !== "ok");
    parts.push([
      "Networks OK",
      s.networks.length ? `${ok} of ${s.networks.length}` : "none",
      wrong ? "bad" : "",
      "#path",
    ]);
  }
  parts.push(
    ["Boots under way", String(way), way ? "way" : ""],
    [`Booted, of the last ${boots.length}`, String(good), ""],
    ["Problems", String(bad), bad ? "bad" : ""],
  );
  if (s) {
    const failed = s.images.filter((i) => i.error).length;
    parts.push([
      "Images verified",
      `${s.images.filter((i) => date(i.verified) && !i.error).length} of ${s.images.length}`,
      failed ? "bad" : "",
      "#images",
    ]);
  }
  draw("sum", parts, () =>
    parts.map(([t, v, k, to]) =>
      el(
        "div",
        { class: k },
        el("dt", {}, to ? el("a", { href: to, "data-key": to }, t) : t),
        el("dd", {}, k === "bad" ? el("span", { class: "sign", "aria-hidden": "true" }, "▲") : "", v),
      ),
    ),
  );
}

// ---- images, events, configuration
function drawImages() {
  const list = state.status.images;
  draw("images-body", list, () =>
    list.length
      ? el(
          "div",
          { class: "wide" },
          table(
            "Images on disk",
            ["Image", ">Size", "Added", "Verified"],
            list.map((i) =>
              el(
                "tr",
                {},
                el(
                  "th",
                  { scope: "row" },
                  bdi(i.title || i.key, 120),
                  i.version && !String(i.title).includes(i.version)
                    ? el("div", { class: "dim" }, bdi(i.version, 60))
                    : "",
                ),
                el("td", { class: "num r" }, bytes(i.bytes)),
                el("td", { class: "num" }, date(i.added) ? when(i.added) : "–"),
                el(
                  "td",
                  {},
                  i.error
                    ? [badge("bad", "Failed"), el("div", { class: "error" }, bdi(i.error, 200))]
                    : date(i.verified)
                      ? el("span", { class: "tick ok" }, icon("good"), when(i.verified))
                      : el("span", { class: "tick unknown" }, icon("ask"), i.recipe ? "never" : "added by hand"),
                ),
              ),
            ),
          ),
        )
      : el("p", { class: "none" }, "No images yet."),
  );
}

const kinds = {
  start: "Start",
  config: "Config",
  loop: "Loop",
  foreign: "DHCP",
  check: "Check",
  boot: "Boot",
  action: "Action",
};
function drawEvents() {
  const list = state.status.events;
  draw("events-body", list, () =>
    list.length
      ? el(
          "ol",
          {
            "data-scroll": "events",
            tabindex: "0",
            role: "list",
            "aria-label": "Events, the newest first",
            "data-key": "events",
          },
          list.map((e) =>
            el(
              "li",
              {},
              when(e.at),
              e.bad
                ? el("span", { class: "tick wrong" }, icon("warn"), kinds[e.kind] || clean(e.kind))
                : el("span", { class: "dim" }, kinds[e.kind] || clean(e.kind)),
              bdi(e.text, 500),
            ),
          ),
        )
      : el("p", { class: "none" }, "No events yet."),
  );
}

function drawConfig() {
  const s = state.status;
  draw("config-body", [s.settings, s.config, s.agent], () => [
    s.config.ok
      ? null
      : el(
          "p",
          { class: "note bad" },
          "The file has an error; the settings shown are still in effect. ",
          bdi(s.config.error, 400),
        ),
    el(
      "div",
      {
        class: "wide",
        tabindex: "0",
        role: "region",
        "aria-label": "Settings",
        "data-scroll": "config",
        "data-key": "config",
      },
      table(
        "Settings",
        ["Key", "Value", "From"],
        s.settings.map((k) =>
          el(
            "tr",
            {},
            el("th", { scope: "row" }, el("code", {}, clean(k.key))),
            el("td", {}, bdi(k.value, 200)),
            el("td", { class: "dim" }, bdi(k.from, 100)),
          ),
        ),
      ),
    ),
  ]);
}

function drawAlarm() {
  const s = state.status,
    lines = [];
  if (!s.config.ok) lines.push("The configuration has an error; the last valid one stays in effect: " + s.config.error);
  if (!s.menu.ok) lines.push("The configured menu has an error and is not served: " + s.menu.error);
  if (s.agent.version !== document.body.dataset.version) lines.push("pxeagent has been updated. Reload this page.");
  draw("alarm", lines, () => lines.map((t) => el("p", {}, bdi(t, 500))));
  $("alarm").hidden = lines.length === 0;
}
