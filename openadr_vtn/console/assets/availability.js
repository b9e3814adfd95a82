// Who is in and who is out, and by which schedule.
import { clock, follow, node, optPill, scope, table } from "/shared/page.js";

const STATUSES = { "in force": "good", over: "muted", replaced: "muted", cancelled: "muted" };

follow("/data/availability.json", ({ parties, schedules }) => {
  table("standings", [
    ["Party", (party) => party.party],
    ["Now", (party) => optPill(party.steps[0].type)],
    ["By", (party) => party.steps[0].opt_id ? `${party.steps[0].opt_id}: ${party.steps[0].reason}` : node("span", { class: "muted" }, "nothing said")],
    ["Then", (party) => party.steps.slice(1).map((step) => `${step.type === "optIn" ? "in" : "out"} from ${clock(step.starts_at)}`).join(", ") || "no change"],
  ], parties, "No party is approved yet.");
  table("schedules", [
    ["Party", (one) => one.party],
    ["Says", (one) => optPill(one.type)],
    ["For", (one) => scope(one.scope)],
    ["When", (one) => one.spans.map((span) => `${clock(span.starts_at)} to ${clock(span.ends_at) ?? "for ever"}`).join(", ") || "never"],
    ["Reason", (one) => one.reason],
    ["Status", (one) => node("span", { class: STATUSES[one.status] }, one.status)],
    ["Received", (one) => clock(one.received_at)],
    ["Opt id", (one) => one.opt_id],
  ], schedules, "No party has made an opt schedule.");
});
