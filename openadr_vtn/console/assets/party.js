// One party, live: what was asked of it, whether that comes, and what it says of its resources.
import { draw, unbroken } from "/shared/chart.js";
import { ago, clock, follow, node, pill, span, table } from "/shared/page.js";

const ms = (moment) => new Date(moment).getTime();
const STATES = { pending: "good", asked: "warn", cancelling: "warn", refused: "bad" };
const SHOWN_MS = 30 * 60_000;

follow(`/data/parties/${encodeURIComponent(document.getElementById("name").dataset.party)}.json`, (found) => {
  power(found.power, Date.now());
  table("requests", [
    ["Report", (one) => one.specifier],
    ["State", (one) => pill(one.state, STATES[one.state] ?? "muted")],
    ["Every", (one) => one.granularity_s ? span(one.granularity_s) : one.history ? "as it has it" : "on change"],
    ["Comes", (one) => one.report_back_s ? `each ${span(one.report_back_s)}` : "once"],
    ["Data until", (one) => clock(one.covered_until)],
    ["Quality", (one) => quality(one)],
    ["Late", (one) => one.late_by_s ? node("span", { class: "bad" }, `by ${span(one.late_by_s)}`) : null],
    ["Refused", (one) => one.refusal || null],
    ["Request", (one) => one.id, "plain"],
  ], found.requests, "Nothing was asked of it.");
  table("newest", [
    ["Measures", (one) => one.measurand],
    ["Of", (one) => one.source || "all"],
    ["Value", (one) => one.value === null ? "–" : `${one.value.toLocaleString()} ${one.unit}`, "number"],
    ["From", (one) => clock(one.starts_at)],
    ["For", (one) => one.duration_s ? span(one.duration_s) : null],
    ["Quality", (one) => quality(one)],
    ["Received", (one) => ago(one.received_at)],
  ], found.newest, "It has reported nothing yet.");
  table("statuses", [
    ["Resource", (one) => one.source || "all"],
    ["Online", (one) => answer(one.online, "good", "bad")],
    ["Overridden", (one) => answer(one.manual_override, "warn", "good")],
    ["Control", (one) => Object.entries(one.controls).map(([name, value]) => `${name} ${value.current}`).join(", ") || null],
    ["At", (one) => clock(one.at)],
    ["Quality", (one) => quality(one)],
  ], found.statuses, "It has told nothing of its resources.");
  table("offers", [
    ["Report", (row) => row.name],
    ["Point", (row) => row.id],
    ["Measures", (row) => row.unit ? `${row.measurand}, ${row.unit}` : row.measurand],
    ["Of", (row) => row.source || "all"],
    ["Every", (row) => row.min_period_s === row.max_period_s ? span(row.min_period_s) : `${span(row.min_period_s)} to ${span(row.max_period_s)}`],
    ["On change", (row) => row.on_change ? "yes" : "no"],
  ], found.offers.flatMap((offer) => offer.points.map((point) => ({ name: offer.name, ...point }))), "It has offered nothing yet.");
});

// What a reading is worth, and why where the party said so.
function quality(one) {
  if (!one.quality) return null;
  const kind = one.quality === "good" ? "good" : "warn";
  return node("span", { class: kind, title: one.cause || "" }, one.cause ? `${one.quality}: ${one.cause}` : one.quality);
}

function answer(value, yes, no) {
  return value === null ? null : node("span", { class: value ? yes : no }, value ? "yes" : "no");
}

function power(rows, now) {
  const middle = ([moment, length]) => ms(moment) + length * 500;
  const runs = (column) => unbroken(rows.filter((row) => row[column] !== null)).map((run) => run.map((row) => [middle(row), row[column]]));
  draw("power", { from: now - SHOWN_MS, until: now, now, empty: "no report yet", lines: [
    { name: "baseline", kind: "usual", runs: runs(3) },
    { name: "meter", kind: "measured", runs: runs(2), dots: true },
  ] });
}
