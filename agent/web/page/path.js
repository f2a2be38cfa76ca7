// ---- DHCP and boot path
const marks = { ok: ["good", "ok"], wrong: ["bad", "failed"], unknown: ["ask", "not checked"] };
function tick(mark, small) {
  const [shape, word] = marks[mark] || ["still", "none"];
  return el(
    "span",
    { class: `tick ${marks[mark] ? mark : "unknown"}${small ? " small" : ""}` },
    icon(shape),
    el("span", {}, word),
  );
}
const verdicts = {
  "": ["still", "Not checked yet"],
  ok: ["good", "OK"],
  wrong: ["bad", "Problems"],
  no_offer: ["bad", "No DHCP server answers"],
  error: ["bad", "Check failed"],
};

function network(n, i) {
  const [kind, word] = verdicts[n.result] || verdicts[""];
  const every =
    n.every_seconds > 0
      ? `checked every ${lasted(n.every_seconds).replace(/\.0 /, " ").replace(/ 0 (s|min)$/, "")}`
      : "checked on request";
  const wrong = n.clients.flatMap((c) => c.wrong || []);
  return el(
    "div",
    { class: "net" },
    el(
      "div",
      { class: "line" },
      el("h3", {}, bdi(n.name, 60)),
      n.checking ? badge("way", "Checking") : badge(kind, word),
      n.checked ? el("span", { class: "dim num" }, when(n.checked)) : null,
    ),
    el(
      "p",
      { class: "dim sub" },
      n.next_server ? ["next-server ", el("code", {}, clean(n.next_server)), ", "] : "",
      every,
      n.watched ? "" : "; its DHCP server is not probed from here, only the steps after the offer are checked",
    ),
    n.error ? el("p", { class: "note bad" }, bdi(n.error, 400)) : null,
    [...new Set([...(n.foreign || []), ...wrong])].map((t) => el("p", { class: "note bad" }, bdi(t, 400))),
    n.clients.length
      ? table(
          "Boot path of each kind of machine",
          ["Machine", ...pathSteps.map((h) => h[1])],
          n.clients.map((c) =>
            el(
              "tr",
              {},
              el("th", { scope: "row" }, clientName(c.name)),
              pathSteps.map(([h]) => el("td", {}, tick(c.state[h], true))),
            ),
          ),
        )
      : null,
    n.clients.some((c) => c.steps.length)
      ? details(
          "steps " + i,
          "Every step",
          el(
            "div",
            { class: "steps" },
            n.clients.map((c) => [
              el(
                "h4",
                {},
                clientName(c.name),
                c.want ? [" ", el("span", { class: "dim" }, "expected: "), el("code", {}, bdi(c.want, 160))] : "",
              ),
              c.reason ? el("p", { class: "dim reason" }, bdi(c.reason, 400)) : null,
              c.doubt ? el("p", { class: "dim doubt" }, "In doubt: ", bdi(c.doubt, 400)) : null,
              el(
                "ul",
                {},
                c.steps.map((s) =>
                  el(
                    "li",
                    {},
                    tick(s.ok ? "ok" : "wrong"),
                    clean(s.stage),
                    " ",
                    el("code", {}, bdi(s.what, 160)),
                    " ",
                    el("span", { class: "dim num" }, s.bytes >= 0 ? bytes(s.bytes) + " " : ""),
                    s.text ? el("span", { class: s.ok ? "dim" : "error" }, bdi(s.text, 300)) : "",
                  ),
                ),
                c.as ? el("li", { class: "dim" }, `continues as ${clientName(c.as)}`) : "",
                c.more ? el("li", { class: "dim" }, `and ${plural(c.more, "step")} more`) : "",
              ),
            ]),
          ),
        )
      : null,
  );
}

function drawPath() {
  const nets = state.status.networks;
  draw("path-body", nets, () =>
    nets.length
      ? nets.map(network)
      : el(
          "p",
          { class: "none" },
          "No network is checked. Set interface, and its DHCP server is probed regularly.",
        ),
  );
  $("check-now").disabled = nets.length > 0 && nets.every((n) => n.checking);
}
