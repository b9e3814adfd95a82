// Who asked to be told of changes, and how telling them goes.
import { clock, follow, node, table } from "/shared/page.js";

function last(one) {
  if (one.last === null) return node("span", { class: "muted" }, "nothing told yet");
  const text = `${one.last.outcome}, ${clock(one.last.at)}`;
  return node("span", { class: one.last.failures ? "bad" : "good" }, text);
}

follow("/data/subscriptions.json", (subscriptions) => {
  table("subscriptions", [
    ["Client", (one) => one.client_name],
    ["Role", (one) => one.role],
    ["Watches", (one) => [...new Set(one.watches.flatMap((watch) => watch.objects))].join(", ")],
    ["Told at", (one) => [...new Set(one.watches.map((watch) => watch.callback_url))].join(", ")],
    ["Waiting", (one) => one.waiting],
    ["Delivered", (one) => one.delivered],
    ["Given up", (one) => node("span", { class: one.dead ? "bad" : "muted" }, String(one.dead))],
    ["Last", last],
  ], subscriptions, "No client has subscribed to anything.");
});
