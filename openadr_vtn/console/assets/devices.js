// Devices of IEEE 2030.5 and the groups that they lie in.
import { clock, follow, node, pill, span, table } from "/shared/page.js";

// What was said of it alone; what is said of groups above it, or to everybody, stands there.
const rates = (one) => Object.entries(one.rates).map(([name, seconds]) => `${name} ${span(seconds)}`).join(", ") || null;

follow("/data/devices.json", ({ groups, devices, there }) => {
  document.getElementById("count").textContent = there > devices.length ? `the first ${devices.length} of ${there}, by SFDI` : "by SFDI";
  table("groups", [
    ["Group", (group) => node("a", { href: `/groups/${encodeURIComponent(group.name)}` }, group.name)],
    ["Below", (group) => group.parent],
    ["Primacy", (group) => String(group.primacy), "number"],
    ["Rates", rates],
    ["Controls", (group) => String(group.controls), "number"],
    ["Program", (group) => group.href, "plain"],
    ["mRID", (group) => group.mrid, "plain"],
  ], groups, "There is no group yet.");
  table("devices", [
    ["LFDI", (device) => device.lfdi, "plain"],
    ["Party", (device) => node("a", { href: `/parties/${encodeURIComponent(device.party_id)}` }, device.party)],
    ["Access", (device) => device.enabled ? pill("granted", "good") : pill("withdrawn", "bad")],
    ["Groups", (device) => device.groups.join(", ") || null],
    ["Category", (device) => device.category],
    ["Rates", rates],
    ["Registered", (device) => clock(device.registered_at)],
    ["Changed", (device) => clock(device.changed_at)],
  ], devices, "No device is registered yet.");
});
