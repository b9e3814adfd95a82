// One group: what is asked of its devices, and what they answer.
import { clock, follow, node, pill, span, table } from "/shared/page.js";

const STATES = { scheduled: "muted", active: "good", superseded: "warn", cancelled: "bad", cancelled_with_randomisation: "bad" };
// Table 27 of the standard.
const ANSWERS = {
  1: "received", 2: "started", 3: "completed", 4: "opt out", 5: "opt in", 6: "cancelled", 7: "superseded",
  8: "in part, then out", 9: "in part, then in", 10: "no participation", 11: "acknowledged", 12: "cannot display",
  13: "another server's", 14: "another program's", 252: "not applicable", 253: "invalid", 254: "too late",
};
const GOOD = new Set([1, 2, 3, 5, 11]);

follow(`/data/groups/${encodeURIComponent(document.getElementById("name").dataset.group)}.json`, (controls) => {
  table("controls", [
    ["Asks", (control) => control.asks.join(", ")],
    ["Status", (control) => pill(control.status.replaceAll("_", " "), STATES[control.status] ?? "muted")],
    ["In part superseded", (control) => control.potentially_superseded ? "yes" : null],
    ["Starts", (control) => clock(control.starts_at)],
    ["Lasts", (control) => span(control.duration_s)],
    ["Responses", (control) => String(control.responses.length), "number"],
    ["Event", (control) => control.event_id && node("a", { href: `/events/${encodeURIComponent(control.event_id)}` }, control.event_id)],
    ["mRID", (control) => control.mrid, "plain"],
  ], controls, "Nothing is asked of its devices.");
  const said = controls.flatMap((control) => control.responses.map((one) => ({ ...one, control })));
  said.sort((one, other) => other.at.localeCompare(one.at));
  table("responses", [
    ["Device", (one) => one.lfdi, "plain"],
    ["Says", (one) => node("span", { class: GOOD.has(one.status) ? "good" : "bad" }, ANSWERS[one.status] ?? String(one.status))],
    ["At", (one) => clock(one.at)],
    ["To", (one) => one.control.asks.join(", ")],
    ["mRID", (one) => one.control.mrid, "plain"],
  ], said, "No device has answered yet.");
});
