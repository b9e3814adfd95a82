// Who did what, the newest first.
import { clock, follow, node, table } from "/shared/page.js";

follow("/data/audit.json", (entries) => table("audit", [
  ["When", (entry) => clock(entry.at)],
  ["Who", (entry) => entry.actor],
  ["What", (entry) => entry.action],
  ["To", (entry) => entry.action.endsWith("event") ? node("a", { href: `/events/${entry.subject}` }, entry.subject) : entry.subject, "plain"],
  ["Detail", (entry) => entry.detail],
], entries, "Nobody has done anything yet."));
