// The list of events, and how things stand.
import { cards, clock, follow, node, status, table } from "/shared/page.js";
import { pendingNote } from "./pending.js";

let parties = [];
follow("/data/parties.json", (found) => { parties = found; pendingNote(found); });
follow("/data/events.json", (events) => {
  const count = (state) => parties.filter((party) => party.state === state).length;
  const running = events.filter((event) => event.status === "active");
  const coming = events.filter((event) => ["far", "near"].includes(event.status));
  const late = parties.filter((party) => party.report_late_by_s > 0).length;
  cards("cards", [
    ["Events running", running.length, coming.length ? `${coming.length} to come` : "none to come", running.length ? "good" : null],
    ["Parties approved", count("approved"), `${parties.filter((party) => party.registered_at).length} registered`],
    ["Parties pending", count("pending"), "wait for approval", count("pending") ? "warn" : null],
    ["Reports late", late, "parties whose data is overdue", late ? "bad" : null],
  ]);
  table("events", [
    ["Event", (event) => node("a", { href: `/events/${event.id}` }, event.name || event.id)],
    ["Status", (event) => status(event.status)],
    ["Program", (event) => event.program],
    ["Asks for", (event) => event.asks],
    ["From", (event) => clock(event.starts_at)],
    ["To", (event) => clock(event.ends_at) ?? "for ever"],
    ["Version", (event) => event.version, "number"],
    ["Have it", (event) => `${event.fetched} of ${event.entitled}`, "number"],
    ["In", (event) => event.opted_in, "number"],
    ["Out", (event) => event.opted_out, "number"],
  ], events, "No event yet. Create one: openadr-vtn event create --help");
});
