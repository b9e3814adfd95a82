// The fleet this second: what is asked, what is given, who holds which command, what is short.
import { draw } from "/shared/chart.js";
import { cards, clock, follow, kw, node, opt, optPill, pill, status, table } from "/shared/page.js";

const WINDOW_MS = 180_000;
const TOLERANCE = 0.05;
const FULL = 0.98; // plans go to 95 % of a rating; meters waver about it
const UPSTREAM = { registered: "good", reachable: "good", "not enrolled": "warn", unreachable: "bad" };
const STATES = { received: "good", started: "good", completed: "muted", planned: "muted", sent: "accent" };

follow("/data/now.json", (fleet) => {
  headline(fleet);
  figures(fleet);
  chart(fleet);
  table("commands", [
    ["State", (row) => pill(row.state.replaceAll("_", " "), STATES[row.state] ?? "warn")],
    ["Devices", (row) => row.devices.toLocaleString(), "number"],
  ], fleet.commands.filter((row) => row.devices), "No device has been told anything.");
  table("shortfall", [
    ["Cause", (row) => row.cause],
    ["Missing", (row) => kw(row.kw), "number"],
  ], fleet.shortfall, fleet.event ? "Nothing is missing." : "Nothing is asked.");
  table("terms", [
    ["Term", (row) => row.term],
    ["Devices", (row) => row.devices.toLocaleString(), "number"],
  ], fleet.terms, "None binds.");
  document.getElementById("support-panel").hidden = !fleet.support.length;
  table("support", [
    ["Sets", (row) => row.sets],
    ["Event", (row) => node("a", { href: `/events/${encodeURIComponent(row.event)}` }, row.event)],
    ["Devices", (row) => row.devices.toLocaleString(), "number"],
    ["Set so", (row) => row.set.toLocaleString(), "number"],
    ["Refused", (row) => row.refused.toLocaleString(), "number"],
  ], fleet.support, "Nothing.");
  document.getElementById("shards-panel").hidden = !fleet.shards.length;
  table("shards", [
    ["Shard", (row) => row.shard ?? "nobody"],
    ["State", (row) => row.alive ? pill("alive", "good") : pill(`silent for ${row.silent_s} s`, "bad")],
    ["Since", (row) => clock(row.since)],
    ["Devices", (row) => row.devices.toLocaleString(), "number"],
    ["Last round", (row) => row.round, "number"],
    ["λ", (row) => row.price, "number"],
    ["Asked", (row) => kw(row.asked_kw), "number"],
    ["Committed", (row) => kw(row.committed_kw), "number"],
    ["Lag", (row) => row.lag_ms === null ? null : `${row.lag_ms} ms`, "number"],
  ], fleet.shards, "None.");
  table("events", [
    ["Event", (row) => node("a", { href: `/events/${encodeURIComponent(row.id)}` }, row.id)],
    ["Asks", (row) => row.asks],
    ["Status", (row) => status(row.status)],
    ["Starts", (row) => clock(row.starts_at)],
    ["Ends", (row) => clock(row.ends_at) ?? "for ever"],
    ["We said", (row) => opt(row.opt)],
  ], fleet.events, "The VTN has sent no event.");
  table("opts", [
    ["Opt", (row) => row.id],
    ["Says", (row) => row.type ? optPill(row.type) : "cancelled"],
    ["For", (row) => row.for.join(", ") || (row.type ? "all" : null)],
    ["When", (row) => row.event ? `event ${row.event}` : row.spans.map(([start, end]) => `${clock(start)} to ${clock(end) ?? "for ever"}`).join(", ")],
    ["Reason", (row) => row.reason || null],
    ["At the VTN", (row) => row.refused ? pill(`refused: ${row.refused}`, "bad") : row.told_at ? pill("told", "good") : pill("not told yet", "warn")],
  ], fleet.opts, "Nothing: the fleet is in.");
  notices(fleet.notices);
});

follow("/data/fleet.json", (fleet) => {
  groups("classes", "Class", fleet.classes);
  groups("vendors", "Vendor", fleet.vendors);
  table("transformers", [
    ["Transformer", (row) => row.name],
    ["Loading", (row) => node("span", { class: "bar-cell" }, node("meter", { min: 0, max: 1, high: FULL, optimum: 0, value: row.loading }), `${(row.loading * 100).toFixed(1)} %`)],
    ["Rating", (row) => kw(row.limit_kw), "number"],
    ["Devices", (row) => row.devices, "number"],
  ], fleet.transformers, "No transformer has a rating.");
});

function headline(fleet) {
  document.getElementById("headline").textContent = fleet.event ? "Following an event" : "Nothing is asked of the fleet";
  document.getElementById("under").replaceChildren(pill(fleet.upstream, UPSTREAM[fleet.upstream] ?? "muted"), " at the VTN",
    node("span", { title: fleet.link.certificate_ends_at ? `we are ${fleet.link.fingerprint}, until ${fleet.link.certificate_ends_at.slice(0, 10)}` : "we show no certificate" },
      fleet.link.pushed_at ? `, which reaches us at ${fleet.link.pushed_at}` : `, polled at ${fleet.link.vtn}`, `, by ${fleet.link.protocol}`),
    ...(fleet.limited_by.length ? [` · limited by ${fleet.limited_by.join(", ")}`] : []));
}

function figures(fleet) {
  const share = fleet.event && fleet.asked_kw ? fleet.delivered_kw / fleet.asked_kw : null;
  const kind = share === null ? null : Math.abs(share - 1) <= TOLERANCE ? "good" : "warn";
  const silent = fleet.devices - fleet.online;
  cards("cards", [
    ["Target now", kw(fleet.asked_kw), `${kw(fleet.allowed_kw)} let through by the envelope`],
    ["Measured relief", kw(fleet.delivered_kw), share === null ? "" : `${(share * 100).toFixed(1)} % of the target`, kind],
    ["Commanded", kw(fleet.commanded_kw), fleet.available_kw === null ? "" : `of ${kw(fleet.available_kw)} that there is`],
    ["Fleet takes", kw(fleet.fleet_kw), "net import"],
    ["Devices online", fleet.online.toLocaleString(), silent ? `${silent.toLocaleString()} silent` : "all of them", silent ? "warn" : "good"],
  ]);
}

function chart(fleet) {
  const now = Date.now();
  const shown = fleet.trace.filter(([at]) => at > now - WINDOW_MS);
  const column = (index) => shown.map((row) => [row[0], row[index]]);
  const target = column(1);
  draw("relief", {
    from: now - WINDOW_MS, until: now + 2_000, now, empty: "no round yet",
    band: target.map(([at, value]) => [at, value * (1 - TOLERANCE), value * (1 + TOLERANCE)]),
    lines: [
      { name: "target", kind: "target", runs: target.length ? [target] : [] },
      { name: "let through", kind: "usual", runs: target.length ? [column(2)] : [] },
      { name: "measured", kind: "measured", runs: target.length ? [column(3)] : [], area: true },
    ],
  });
}

function notices(rows) {
  table("notices", [
    ["When", (row) => clock(row.at)],
    ["What", (row) => row.alarm ? pill(row.kind, "bad") : row.kind],
    ["", (row) => row.text],
    ["Event", (row) => row.event ? node("a", { href: `/events/${encodeURIComponent(row.event)}` }, row.event) : ""],
  ], rows, "Nothing yet.");
}

function groups(id, name, rows) {
  table(id, [
    [name, (row) => row.name],
    ["Devices", (row) => row.devices.toLocaleString(), "number"],
    ["Online", (row) => node("span", { class: row.online < row.devices ? "warn" : null }, row.online.toLocaleString()), "number"],
    ["Commanded", (row) => row.commanded.toLocaleString(), "number"],
    ["Net import", (row) => kw(row.power_kw), "number"],
  ], rows.filter((row) => row.devices), "The fleet is empty.");
}
