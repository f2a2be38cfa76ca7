// ---- updates from the daemon
function takeStatus(s) {
  if (s.at && date(s.at)) state.skew = date(s.at) - Date.now();
  const old = state.status;
  state.status = s;
  $("host").textContent = [s.agent.host, s.agent.version, "up since " + new Date(s.agent.started).toLocaleString()]
    .filter(Boolean)
    .map(clean)
    .join(" · ");
  if (old) {
    for (const n of s.networks) {
      const before = old.networks.find((o) => o.name === n.name);
      if (before && before.result !== n.result)
        say(`Network ${clip(n.name, 40)}: ${(verdicts[n.result] || verdicts[""])[1]}`);
    }
  }
  $("acts").hidden = !s.actions;
  $("check-now").hidden = !state.token;
  drawPath();
  drawImages();
  drawEvents();
  drawConfig();
  drawAlarm();
  drawViewers();
  drawMachines();
}

function takeBoot(b) {
  if (!b || !b.id) return;
  if (b.into) {
    state.boots.delete(b.id);
    return;
  } // it became part of another
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
function soon() {
  // many boots at once are drawn together
  if (!queued)
    queued = setTimeout(() => {
      queued = 0;
      drawMachines();
      if (state.status) drawViewers();
    }, 60);
}

async function fetchJSON(path) {
  const r = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(8000) });
  if (!r.ok) throw new Error(r.status);
  return r.json();
}

// poll asks for what the stream would bring, while there is none. Once there is one, an answer only proves that the
// daemon is there: what the stream has brought since may be newer.
let polling = null;
function poll() {
  polling ??= (async () => {
    try {
      const [s, b] = await Promise.all([
        fetchJSON("/api/v1/status"),
        fetchJSON("/api/v1/boots?limit=" + keepBoots).catch(() => ({ boots: [] })),
      ]);
      met();
      if (!state.live) {
        takeBoots(b.boots);
        takeStatus(s);
      }
    } catch {
      missed();
    } finally {
      polling = null;
    }
  })();
  return polling;
}

function met() {
  state.contact = heard = Date.now();
  if (state.lost) say("Connected to pxeagent again");
  state.lost = 0;
  contact();
}
function missed() {
  if (!state.lost) {
    state.lost = state.contact || Date.now();
    say("Connection to pxeagent lost");
  }
  contact();
}
function contact() {
  const p = $("contact"),
    to = state.lost ? "lost" : state.live ? "live" : "still";
  p.dataset.state = to;
  const text = state.lost
    ? `No contact since ${hms(new Date(state.lost))}, retrying`
    : state.live
      ? "Live"
      : "Connecting";
  if ($("contact-text").textContent !== text) $("contact-text").textContent = text;
}

// The stream begins with all boots and the status, and goes on with changes. The status comes at least
// every 15 seconds.
const silence = 20000;
let source = null,
  again = 0,
  wait = 1000,
  heard = 0;
function follow() {
  clearTimeout(again);
  if (source) source.close();
  heard = Date.now();
  source = new EventSource("/api/v1/events");
  source.onopen = () => {
    wait = 1000;
    state.live = true;
    met();
  };
  source.addEventListener("boots", (e) => {
    met();
    takeBoots(JSON.parse(e.data));
    soon();
  });
  source.addEventListener("boot", (e) => {
    met();
    takeBoot(JSON.parse(e.data));
    soon();
  });
  source.addEventListener("status", (e) => {
    met();
    takeStatus(JSON.parse(e.data));
  });
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
