// One event's account: asked, allowed, commanded, acknowledged, delivered, and what fell short.
import { draw } from "/shared/chart.js";
import { cards, clock, follow, kw, node, opt, pill, status, table } from "/shared/page.js";

const HALF_SPAN_MS = 2_500;

follow(`/data/events/${encodeURIComponent(document.getElementById("cards").dataset.event)}.json`, (event) => {
  const under = [status(event.status), ` ${event.asks} · version ${event.version} · ${clock(event.starts_at)} to ${clock(event.ends_at) ?? "for ever"} · `, node("code", {}, event.id)];
  document.getElementById("under").replaceChildren(...under);
  figures(event.account);
  chart(event);
  table("shortfall", [
    ["Cause", (row) => row.cause],
    ["Missing", (row) => kw(row.kw), "number"],
  ], event.shortfall, "Nothing was missing.");
  table("opts", [
    ["When", (row) => clock(row.at)],
    ["Version", (row) => row.version, "number"],
    ["Answer", (row) => opt(row)],
  ], event.opts, "Nothing yet.");
  table("notices", [
    ["When", (row) => clock(row.at)],
    ["What", (row) => row.alarm ? pill(row.kind, "bad") : row.kind],
    ["", (row) => row.text],
  ], event.notices, "Nothing yet.");
});

function figures(account) {
  if (account === null) {
    cards("cards", [["Asked", "–", "nothing has been asked of devices"]]);
    return;
  }
  const of = (value) => (account.asked_kw ? `${((value / account.asked_kw) * 100).toFixed(1)} % of asked` : "");
  cards("cards", [
    ["Asked", kw(account.asked_kw), `mean over ${account.seconds.toFixed(0)} s`],
    ["Let through", kw(account.allowed_kw), "by the safety envelope"],
    ["Commanded", kw(account.commanded_kw), of(account.commanded_kw)],
    ["Acknowledged", kw(account.acknowledged_kw), of(account.acknowledged_kw)],
    ["Delivered", kw(account.delivered_kw), of(account.delivered_kw), Math.abs(account.delivered_kw / account.asked_kw - 1) <= 0.05 ? "good" : "warn"],
  ]);
}

function chart(event) {
  const rows = event.series;
  const column = (index) => rows.map((row) => [row[0] + HALF_SPAN_MS, row[index]]);
  const from = rows.length ? rows[0][0] - 5_000 : Date.now() - 60_000;
  const until = rows.length ? rows.at(-1)[0] + 15_000 : Date.now();
  draw("relief", { from, until, now: Date.now(), empty: "nothing yet", lines: [
    { name: "asked", kind: "target", runs: rows.length ? [column(1)] : [] },
    { name: "let through", kind: "usual", runs: rows.length ? [column(2)] : [] },
    { name: "delivered", kind: "measured", runs: rows.length ? [column(3)] : [], area: true, dots: true },
  ] });
}
