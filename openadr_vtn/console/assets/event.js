// One event, live: who answered what, target against delivered, what is late or missing.
import { draw, unbroken } from "/shared/chart.js";
import { ago, cards, clock, follow, kw, node, opt, optPill, scope, span, status, table } from "/shared/page.js";

const TOLERANCE = 0.05;
const AHEAD_MS = 10_000;
const ms = (moment) => new Date(moment).getTime();

follow(`/data/events/${document.getElementById("cards").dataset.event}.json`, (event) => {
  const now = Date.now();
  headline(event);
  figures(event, now);
  charts(event, now);
  notes(event);
  table("parties", [
    ["Party", (party) => party.party],
    ["Answer", (party) => opt(party.opt)],
    ["Delivers", (party) => kw(party.delivered_kw), "number"],
    ["Reported until", (party) => clock(party.reported_until)],
    ["Reports", (party) => party.report_late_by_s ? node("span", { class: "bad" }, `late by ${span(party.report_late_by_s)}`) : party.reported_until ? node("span", { class: "good" }, "in time") : node("span", { class: "muted" }, "none yet")],
    ["Missing", (party) => party.missing.length ? node("span", { class: "bad" }, party.missing.map(([start, end]) => `${clock(start)} to ${clock(end)}`).join(", ")) : "nothing"],
  ], event.parties, "This event is for nobody that is approved.");
  document.getElementById("said").hidden = !event.qualifications.length;
  table("qualifications", [
    ["Party", (one) => one.party],
    ["For", (one) => scope(one.scope)],
    ["Says", (one) => optPill(one.type)],
    ["Reason", (one) => one.reason],
    ["At", (one) => clock(one.created_at)],
  ], event.qualifications, "");
  table("ledger", [
    ["Party", (row) => row.party],
    ["Version", (row) => row.withdrawn ? `${row.version}, withdrawn` : row.version],
    ["Entitled", (row) => clock(row.entitled_at)],
    ["Notified", (row) => clock(row.notified_at)],
    ["Fetched", (row) => clock(row.fetched_at)],
    ["Answered", (row) => clock(row.answered_at)],
    ["Reported", (row) => clock(row.reported_at)],
    ["Tries", (row) => row.given_up ? `${row.attempts}, given up` : row.attempts, "number"],
    ["Said", (row) => opt(row.opt)],
  ], event.ledger, "Nothing is owed to anybody.");
});

function notes(event) {
  document.getElementById("notes").hidden = !event.notes.length;
  document.getElementById("note-texts").replaceChildren(...event.notes.flatMap((note) => [
    node("p", { class: "muted" }, `${clock(note.at)}, ${note.by}`), node("pre", {}, note.text),
  ]));
}

function headline(event) {
  const parts = [status(event.status), ` ${event.asks} · program ${event.program} · version ${event.version} · `, `${clock(event.starts_at)} to ${clock(event.ends_at) ?? "for ever"} · `, node("code", {}, event.id)];
  const untold = event.not_told_to_2_0b.map((reason) => node("p", { class: "muted" }, `not told to OpenADR 2.0b parties: ${reason}`));
  const silent = event.not_told_to_2030_5.map((reason) => node("p", { class: "muted" }, `not told to devices of IEEE 2030.5: ${reason}`));
  document.getElementById("under").replaceChildren(...parts, ...untold, ...silent);
  document.getElementById("stop").hidden = ["completed", "cancelled"].includes(event.status);
}

function figures(event, now) {
  const share = event.target_kw ? event.delivered_kw / event.target_kw : null;
  const last = event.delivered.at(-1);
  const kind = share === null || event.delivered_kw === null ? null : Math.abs(share - 1) <= TOLERANCE ? "good" : "warn";
  const left = event.status === "active" && event.ends_at ? `${span((ms(event.ends_at) - now) / 1000)} left` : event.cancelled_at ? `stopped ${clock(event.cancelled_at)}` : "";
  cards("cards", [
    ["Target now", kw(event.target_kw), event.target.length ? left : "asks for no power"],
    ["Delivered", kw(event.delivered_kw), last ? `by reports until ${ago(new Date(ms(last[0]) + last[1] * 1000))}` : "no report yet", kind],
    ["Of target", share === null || event.delivered_kw === null ? "–" : `${(share * 100).toFixed(1)} %`, "within 5 % is on target", kind],
    ["Have the event", `${event.fetched} of ${event.entitled}`, "parties, by their own proof"],
    ["Opt in / out", `${event.opted_in} / ${event.opted_out}`, "latest answers"],
  ]);
}

function charts(event, now) {
  const begin = ms(event.starts_at);
  const over = Math.min(event.ends_at ? ms(event.ends_at) : now, event.cancelled_at ? ms(event.cancelled_at) : Infinity);
  const last = event.delivered.at(-1);
  const from = Math.min(begin - 20_000, last ? ms(event.delivered[0][0]) : Infinity);
  const until = Math.max(event.status === "active" ? now : over, event.ends_at && !event.cancelled_at ? ms(event.ends_at) : 0, last ? ms(last[0]) + last[1] * 1000 : 0) + AHEAD_MS;
  const middle = ([moment, length]) => ms(moment) + length * 500;
  const series = (column) => unbroken(event.delivered).map((run) => run.map((row) => [middle(row), row[column]]));
  const gaps = event.parties.flatMap((party) => party.missing.map(([start, end]) => [ms(start), ms(end)]));
  const target = steps(event.target, begin, until);
  const band = target.map(([at, value]) => [at, value * (1 - TOLERANCE), value * (1 + TOLERANCE)]);
  draw("relief", { from, until, now, gaps, band, empty: "no report yet", lines: [
    { name: "target", kind: "target", runs: target.length ? [target] : [] },
    { name: "delivered", kind: "measured", runs: series(2), area: true, dots: true },
  ] });
  draw("import", { from, until, now, gaps, empty: "no report yet", lines: [
    { name: "baseline", kind: "usual", runs: series(4) },
    { name: "meter", kind: "measured", runs: series(3) },
  ] });
}

// [moment, value] steps as the corners of a line, from zero and on to the last moment.
function steps(target, begin, until) {
  const corners = target.length ? [[begin, 0]] : [];
  let value = 0;
  for (const [moment, next] of target) {
    if (ms(moment) > until) break;
    corners.push([ms(moment), value], [ms(moment), next]);
    value = next;
  }
  if (target.length && value !== 0) corners.push([until, value]);
  return corners;
}
