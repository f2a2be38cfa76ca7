// ---- actions
async function act(path, body) {
  let r;
  try {
    r = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Authorization: "Bearer " + state.token },
      body: JSON.stringify(body || {}),
      signal: AbortSignal.timeout(8000),
    });
  } catch {
    missed();
    return false;
  }
  if (r.ok) {
    if (!state.live) poll();
    return true;
  }
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
  if (state.status) {
    state.menuFor = "";
    drawViewers();
  }
}

$("unlock").addEventListener("click", () => {
  if (state.token) {
    lock();
    return;
  }
  $("key-error").textContent = "";
  $("key-token").value = "";
  $("key").showModal();
});
$("key-cancel").addEventListener("click", () => $("key").close());
$("key-form").addEventListener("submit", async (e) => {
  e.preventDefault();
  state.token = $("key-token").value.trim();
  if (!state.token) return;
  if (!/^[\x21-\x7e]+$/.test(state.token)) {
    state.token = null;
    $("key-error").textContent = "A token has only ASCII characters and no spaces";
    return;
  }
  if (await act("/api/v1/token")) {
    sessionStorage.setItem("token", state.token);
    $("key-token").value = "";
    $("key").close();
    locked();
  } else if (state.token) state.token = null;
});
$("check-now").addEventListener("click", async () => {
  if (await act("/api/v1/check")) say("Checking");
});
$("as-machine").addEventListener("change", () => {
  state.as = $("as-machine").value;
  drawViewers();
});
$("find-text").addEventListener("input", drawMachines);
$("find-kind").addEventListener("change", drawMachines);

// Ages and durations go on, and a silent stream is opened again.
setInterval(() => {
  for (const t of document.querySelectorAll("time[data-ago]")) {
    const s = ago(+t.dataset.ago);
    if (t.textContent !== s) t.textContent = s;
  }
  for (const b of document.querySelectorAll("[data-took]")) b.textContent = lasted((now() - b.dataset.took) / 1000);
  for (const m of machinesNow()) {
    const card = cards.get(m.key);
    if (card && !m.boots[0].result) track(m.boots[0], card.e.querySelector(".track"));
  }
  if (Date.now() - heard > silence) reconnect();
}, 1000);
addEventListener("pagehide", () => {
  if (source) source.close();
});
addEventListener("pageshow", (e) => {
  if (e.persisted) follow();
});

try {
  state.token = sessionStorage.getItem("token");
} catch {
  /* storage is disabled */
}
$("legend").append(
  ...Object.entries({ ...stages, live: "Under way", gap: "Between" }).map(([k, name]) =>
    el("li", {}, el("i", { class: k, "aria-hidden": "true" }), name),
  ),
);
locked();
contact();
follow();
