// What every page of the console is made of: fetching again and again, tables, times, numbers.

const POLL_MS = 1000;

// Calls draw(data) with what the address answers, each second, for as long as the page is open.
export function follow(address, draw) {
  const link = document.getElementById("link");
  const turn = async () => {
    try {
      const response = await fetch(address, { headers: { Accept: "application/json" } });
      if (response.status === 401) { location.reload(); return; }
      if (!response.ok) throw new Error(response.status);
      draw(await response.json());
      link.textContent = "live"; link.classList.remove("lost");
    } catch (error) {
      link.textContent = "no answer"; link.classList.add("lost");
    }
    setTimeout(turn, POLL_MS);
  };
  turn();
}

// A node with attributes and children; texts are always set as text, never as markup.
export function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined).map(asNode));
  return made;
}

const asNode = (child) => (child instanceof Node ? child : document.createTextNode(child));

// Columns: [head, (row) => cell, class]. Rows keep their place; the table is drawn anew.
export function table(id, columns, rows, empty) {
  const target = document.getElementById(id);
  const head = node("tr", {}, ...columns.map(([name, , kind]) => node("th", { class: kind ?? null }, name)));
  const body = rows.map((row) => node("tr", {}, ...columns.map(([, cell, kind]) => node("td", { class: kind ?? null }, cell(row) ?? "–"))));
  if (!rows.length) body.push(node("tr", {}, node("td", { class: "empty", colspan: columns.length }, empty)));
  target.replaceChildren(node("thead", {}, head), node("tbody", {}, ...body));
}

export function cards(id, entries) {
  document.getElementById(id).replaceChildren(...entries.map(([name, value, small, kind]) =>
    node("div", { class: "card" }, node("dl", {}, node("dt", {}, name), node("dd", { class: kind ?? null }, value)), small ? node("small", {}, small) : null)));
}

export const pill = (text, kind) => node("span", { class: `pill ${kind}` }, text);

export function clock(moment) {
  if (!moment) return null;
  const at = new Date(moment);
  const time = at.toLocaleTimeString([], { hour12: false });
  return at.toDateString() === new Date().toDateString() ? time : `${at.toLocaleDateString()} ${time}`;
}

export function ago(moment) {
  if (!moment) return "never";
  const seconds = Math.max(0, (Date.now() - new Date(moment)) / 1000);
  return seconds < 120 ? `${Math.round(seconds)} s ago` : clock(moment);
}

export function span(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60)];
  return hours ? `${hours} h ${minutes} min` : minutes ? `${minutes} min ${whole % 60} s` : `${whole} s`;
}

export const kw = (power) => (power === null || power === undefined ? "–" : `${Math.round(power).toLocaleString()} kW`);

const STATUS_KINDS = { far: "muted", near: "warn", active: "good", completed: "muted", cancelled: "bad" };
export const status = (text) => pill(text, STATUS_KINDS[text] ?? "muted");

export const optPill = (type) => (type === "optIn" ? pill("opt in", "good") : pill("opt out", "warn"));

// Whom an opt speaks for, in a few words.
export function scope(found) {
  const names = found.targets.map(([, name]) => name).join(", ") || "all";
  const classes = found.device_classes.length ? ` (${found.device_classes.join(", ")})` : "";
  return `${names}${classes}${found.market_context ? ` under ${found.market_context}` : ""}`;
}

export function opt(answer) {
  if (!answer) return node("span", { class: "muted" }, "no answer yet");
  const said = optPill(answer.type);
  return answer.code !== "200" || answer.reason ? node("span", {}, said, ` ${answer.code} ${answer.reason}`) : said;
}

for (const form of document.querySelectorAll("form[data-confirm]")) {
  form.addEventListener("submit", (submitted) => { if (!confirm(form.dataset.confirm)) submitted.preventDefault(); });
}
