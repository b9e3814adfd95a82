// Who knocked, and who is let in.
import { ago, clock, follow, node, pill, span, table } from "/shared/page.js";
import { pendingNote } from "./pending.js";

const WARNING_MS = 60 * 86_400_000;
const STATES = { pending: "warn", approved: "good", refused: "bad" };

follow("/data/parties.json", (parties) => {
  pendingNote(parties);
  table("parties", [
    ["Name", (party) => node("a", { href: `/parties/${encodeURIComponent(party.id)}` }, party.name)],
    ["State", (party) => pill(party.state, STATES[party.state])],
    ["Registered", (party) => clock(party.registered_at)],
    ["By", reached],
    ["Last seen", (party) => ago(party.last_seen_at)],
    ["Reports", (party) => !party.reports ? null : party.report_late_by_s ? node("span", { class: "bad" }, `late by ${span(party.report_late_by_s)}`) : node("span", { class: "good" }, "in time")],
    ["Targets", (party) => party.targets.join(", ") || null],
    ["Resources", (party) => party.resources.map((one) => one.name).join(", ") || null],
    ["Fingerprint", (party) => party.certificates.at(-1)?.fingerprint, "plain"],
    ["Ends", ending],
    ["Subject", (party) => party.certificates.at(-1)?.subject],
  ], parties, "No party has knocked yet.");
});

// How a party is reached; of one that is pushed to, whether that works.
function reached(party) {
  if (party.client_id && !party.transport) return node("span", { title: `client ${party.client_id}` }, "OpenADR 3");
  if (!party.push || !party.push.failures) return party.transport;
  return node("span", { class: "bad", title: party.push.outcome }, `push: ${party.push.outcome}`);
}

// When a party's certificate ends; loud once it is time to renew it.
function ending(party) {
  const certificate = party.certificates.at(-1);
  if (!certificate) return null;
  if (certificate.denied) return pill("denied", "bad");
  if (!certificate.ends_at) return null;
  const soon = new Date(certificate.ends_at) - Date.now() < WARNING_MS;
  return soon ? node("span", { class: "bad" }, clock(certificate.ends_at)) : clock(certificate.ends_at);
}
