// One group: what is asked of its devices, and what they answer.
import { clock, follow, node, pill, span, table } from "/shared/page.js";
import { plot } from "/assets/curve.js";

const STATES = { scheduled: "muted", active: "good", superseded: "warn", cancelled: "bad", cancelled_with_randomisation: "bad" };
// Table 27 of the standard.
const ANSWERS = {
  1: "received", 2: "started", 3: "completed", 4: "opt out", 5: "opt in", 6: "cancelled", 7: "superseded",
  8: "in part, then out", 9: "in part, then in", 10: "no participation", 11: "acknowledged", 12: "cannot display",
  13: "another server's", 14: "another program's", 252: "not applicable", 253: "invalid", 254: "too late",
};
const GOOD = new Set([1, 2, 3, 5, 11]);

// A line for each mode.
const asked = (one) => node("div", {}, ...one.asked.map(({ mode, text }) => node("div", {}, `${mode} ${text}`)));

function users(curve) {
  const names = [...(curve.is_default ? ["the default"] : []), ...(curve.controls.length ? [curve.controls.length === 1 ? "a control" : `${curve.controls.length} controls`] : [])];
  return names.join(", ") || null;
}

follow(`/data/groups/${encodeURIComponent(document.getElementById("name").dataset.group)}.json`, ({ controls, defaults, curves }) => {
  table("controls", [
    ["Asks", asked],
    ["Status", (control) => pill(control.status.replaceAll("_", " "), STATES[control.status] ?? "muted")],
    ["In part superseded", (control) => control.potentially_superseded ? "yes" : null],
    ["Starts", (control) => clock(control.starts_at)],
    ["Lasts", (control) => span(control.duration_s)],
    ["Responses", (control) => String(control.responses.length), "number"],
    ["Event", (control) => control.event_id && node("a", { href: `/events/${encodeURIComponent(control.event_id)}` }, control.event_id)],
    ["mRID", (control) => control.mrid, "plain"],
  ], controls, "Nothing is asked of its devices.");
  table("defaults", [
    ["Holds", asked],
    ["Called", (one) => one.default.description],
    ["Version", (one) => String(one.version), "number"],
    ["mRID", (one) => one.mrid, "plain"],
  ], defaults, "Nothing holds where no control does.");
  table("curves", [
    ["Name", (curve) => curve.name],
    ["Kind", (curve) => curve.kind],
    ["Points", (curve) => curve.points.map(([x, y]) => `${x} → ${y}`).join(", ")],
    ["From", (curve) => curve.x_unit],
    ["To", (curve) => curve.y_unit],
    ["", plot],
    ["Used by", users],
    ["Version", (curve) => String(curve.version), "number"],
    ["Address", (curve) => curve.href, "plain"],
  ], curves, "There is no curve.");
  const said = controls.flatMap((control) => control.responses.map((one) => ({ ...one, control })));
  said.sort((one, other) => other.at.localeCompare(one.at));
  table("responses", [
    ["Device", (one) => one.lfdi, "plain"],
    ["Says", (one) => node("span", { class: GOOD.has(one.status) ? "good" : "bad" }, ANSWERS[one.status] ?? String(one.status))],
    ["At", (one) => clock(one.at)],
    ["To", (one) => asked(one.control)],
    ["mRID", (one) => one.control.mrid, "plain"],
  ], said, "No device has answered yet.");
});
