// The fleet by class, vendor and transformer.
import { cards, follow, kw, node, table } from "/shared/page.js";

const FULL = 0.95;

follow("/data/fleet.json", (fleet) => {
  cards("cards", [
    ["Devices", fleet.devices.toLocaleString(), `${fleet.online.toLocaleString()} online`],
    ["Under command", fleet.commanded.toLocaleString(), "hold a lease now"],
    ["Fleet takes", kw(fleet.power_kw), "net import"],
    ["Fullest transformer", `${(fleet.fullest * 100).toFixed(0)} %`, "of its rating", fleet.fullest > FULL ? "bad" : "good"],
  ]);
  groups("classes", "Class", fleet.classes);
  groups("vendors", "Vendor", fleet.vendors);
  table("transformers", [
    ["Transformer", (row) => row.name],
    ["Loading", (row) => node("span", { class: "bar-cell" }, node("meter", { min: 0, max: 1, high: FULL, optimum: 0, value: row.loading }), `${(row.loading * 100).toFixed(1)} %`)],
    ["Rating", (row) => kw(row.limit_kw), "number"],
    ["Devices", (row) => row.devices, "number"],
  ], fleet.transformers, "No transformer has a rating.");
});

function groups(id, name, rows) {
  table(id, [
    [name, (row) => row.name],
    ["Devices", (row) => row.devices.toLocaleString(), "number"],
    ["Online", (row) => node("span", { class: row.online < row.devices ? "warn" : null }, row.online.toLocaleString()), "number"],
    ["Commanded", (row) => row.commanded.toLocaleString(), "number"],
    ["Net import", (row) => kw(row.power_kw), "number"],
  ], rows.filter((row) => row.devices), "The fleet is empty.");
}
