"use strict";
(() => {
const DAY = 86400000;
const data = JSON.parse(document.getElementById("data").textContent);
const now = Date.parse(data.at);
const LEVELS = ["error", "warning", "note"];
const STANDINGS = ["declared", "governed", "allowed", "undeclared", "elsewhere", "unmanaged", "built-in"];
const NAMELESS = "(no name)";
const byId = (id) => document.getElementById(id);

/** Makes an element; texts are always texts, never markup. */
function make(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}
function draw(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
const count = (number) => number.toLocaleString("en");
const date = (at) => (at === null ? "" : new Date(at).toISOString().slice(0, 10));
const days = (span) => Math.floor(span / DAY);

/* Rows: what the list shows of each, what it is sorted by, and one text that is searched. */
const read = (row) => (number) => data.texts[number].split("\0").join(row.name);
const rows = data.rows.map((raw, index) => {
  const text = read(raw);
  const lists = {};
  for (const field of ["scopes", "optional_scopes", "reaches", "revoke", "delivered_to", "grants"]) lists[field] = (raw[field] || []).map(text);
  const findings = (raw.findings || []).map((f) => ({ ...f, says: text(f.says), mend: f.mend < 0 ? "" : text(f.mend), word: f.rule || f.kind }))
    .sort((a, b) => LEVELS.indexOf(a.severity) - LEVELS.indexOf(b.severity));
  const row = {
    label: "", owner: "", owner_state: "", contact: "", environment: "", consumer: "", clients: [], key_ids: [], severity: "none",
    ...raw, ...lists, findings, index, purpose: raw.purpose === undefined ? "" : text(raw.purpose), age: raw.age === undefined ? null : raw.age,
  };
  for (const field of ["last_used", "next_rotation", "expires"]) row[field] = raw[field] ? Date.parse(raw[field]) : null;
  row.counted = row.standing !== "built-in" && row.kind !== "client without secret";
  row.words = findings.map((f) => f.word).filter((word, at, all) => all.indexOf(word) === at && word !== row.standing);
  row.search = [
    row.name, row.label, row.identity, row.kind, row.standing, row.target, row.owner, row.contact, row.environment, row.purpose, row.consumer, row.method,
    row.status, ...row.clients, ...row.key_ids, ...row.scopes, ...row.optional_scopes, ...row.reaches, ...row.delivered_to, ...row.grants,
    ...findings.flatMap((f) => [f.rule, f.kind, f.severity, f.says]),
  ].filter(Boolean).join("\n").toLowerCase();
  return row;
});

const state = { query: "", tile: "", only: {}, sort: "sign", down: false, open: null, cursor: 0, all: false };
let ordered = rows, shown = rows;

/* Columns */
const { compare } = new Intl.Collator("en", { numeric: true });
const text = (pick) => ({ order: (a, b) => compare(pick(a), pick(b)), known: (row) => pick(row) !== "" });
const number = (pick) => ({ order: (a, b) => pick(a) - pick(b), known: (row) => pick(row) !== null });
const badness = (row) => LEVELS.map((level) => row.findings.filter((f) => f.severity === level).length);
for (const row of rows) row.bad = badness(row);
const worse = (a, b) => b.bad[0] - a.bad[0] || b.bad[1] - a.bad[1] || b.bad[2] - a.bad[2];
const COLUMNS = [
  { id: "sign", title: "", says: "severity", order: worse, cell: (r) => (r.severity === "none" ? "" : make("span", { class: `sign ${r.severity}`, role: "img", "aria-label": r.severity })) },
  { id: "name", title: "Name", ...text((r) => r.name) },
  { id: "kind", title: "Kind", ...text((r) => r.kind), cell: (r) => (r.kind === "client without secret" ? "no secret" : r.kind) },
  { id: "standing", title: "Standing", order: (a, b) => STANDINGS.indexOf(a.standing) - STANDINGS.indexOf(b.standing), cell: (r) => make("span", { class: `tag ${r.standing}` }, r.standing) },
  { id: "target", title: "Target", ...text((r) => r.target), cell: (r) => r.target },
  { id: "owner", title: "Owner", ...text((r) => r.owner), cell: (r) => owner(r) },
  { id: "environment", title: "Environment", ...text((r) => r.environment), cell: (r) => r.environment },
  { id: "age", title: "Age", num: true, first: "down", ...number((r) => r.age), cell: (r) => (r.age === null ? "" : `${count(r.age)} d`) },
  { id: "used", title: "Last used", num: true, ...number((r) => r.last_used), cell: (r) => used(r.last_used) },
  { id: "next", title: "Rotates", num: true, ...number((r) => r.next_rotation), cell: (r) => until(r.next_rotation) },
  { id: "findings", title: "Findings", order: worse, cell: (r) => words(r) },
];
const used = (at) => (at === null ? "" : now - at < DAY ? "today" : `${count(days(now - at))} d ago`);
const until = (at) => (at === null ? "" : at <= now ? "due" : at - now < DAY ? "today" : `in ${count(days(at - now))} d`);
function owner(row) {
  if (!row.owner) return row.ownerless && data.stack !== null ? make("span", { class: "missing" }, "nobody") : "";
  return row.owner_state === "gone" || row.ownerless ? make("span", { class: "missing" }, `${row.owner}${row.owner_state === "gone" ? " (gone)" : ""}`) : row.owner;
}
function words(row) {
  const made = document.createDocumentFragment();
  for (const word of row.words) {
    const level = row.findings.find((f) => f.word === word).severity;
    made.append(make("span", { class: `mini ${level}`, title: row.findings.filter((f) => f.word === word).map((f) => f.says).join("\n") }, word));
  }
  return made;
}

/** Does something once before the next frame, however often it is asked for. */
const asked = new Set();
function later(act) {
  if (asked.has(act)) return;
  asked.add(act);
  requestAnimationFrame(() => { asked.delete(act); act(); });
}
const showMore = () => showRows(false);

/* Filters */
const TILES = {
  all: { title: "credentials", fits: () => true },
  managed: { title: "declared or governed", fits: (r) => r.standing === "declared" || r.standing === "governed", stack: true },
  unmanaged: { title: "unmanaged", tone: "warning", fits: (r) => r.standing === "unmanaged" || r.standing === "undeclared" },
  ownerless: { title: "without owner", tone: "warning", fits: (r) => r.ownerless, stack: true },
  overdue: { title: "overdue or too old", tone: "warning", fits: (r) => r.overdue },
  errors: { title: "with errors", tone: "error", fits: (r) => r.severity === "error" },
  warnings: { title: "with warnings", tone: "warning", fits: (r) => r.severity === "warning", first: true },
};
const SELECTS = {
  standing: { title: "Standing", of: (r) => r.standing },
  target: { title: "Target", of: (r) => r.target },
  owner: { title: "Owner", of: (r) => r.owner || (r.ownerless ? "nobody" : "") },
  environment: { title: "Environment", of: (r) => r.environment },
  kind: { title: "Kind", of: (r) => r.kind },
  severity: { title: "Severity", of: (r) => r.severity, values: [...LEVELS, "none"] },
  word: { title: "Finding", of: (r) => r.words },
};
const fitting = (pick, value) => (row) => { const found = pick(row); return Array.isArray(found) ? found.includes(value) : found === value; };

function apply() {
  const sought = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = Object.entries(state.only).filter(([, value]) => value).map(([name, value]) => fitting(SELECTS[name].of, value));
  if (state.tile) tests.push(TILES[state.tile].fits);
  shown = ordered.filter((row) => tests.every((test) => test(row)) && sought.every((word) => row.search.includes(word)));
  state.cursor = 0;
  byId("scroller").scrollTop = 0;
  showRows(true);
  byId("count").textContent = shown.length === rows.length ? `${count(rows.length)} credentials` : `${count(shown.length)} of ${count(rows.length)} credentials`;
  byId("clear").hidden = !(sought.length || tests.length);
  byId("none").hidden = shown.length > 0;
  byId("table").hidden = shown.length === 0;
  for (const tile of byId("tiles").children) tile.setAttribute("aria-pressed", String(tile.dataset.tile === state.tile));
  for (const name of Object.keys(SELECTS)) if (byId(`only-${name}`)) byId(`only-${name}`).value = state.only[name] || "";
  later(showAges);
}
function order() {
  const column = COLUMNS.find((each) => each.id === state.sort);
  const unknown = column.known ? (row) => Number(!column.known(row)) : () => 0;
  const turned = state.down ? -1 : 1;
  ordered = [...rows].sort((a, b) => unknown(a) - unknown(b) || turned * column.order(a, b) || a.index - b.index);
}
function narrow(name, value) {
  state.only[name] = state.only[name] === value ? "" : value;
  apply();
}
function clear() {
  Object.assign(state, { query: "", tile: "", only: {} });
  byId("query").value = "";
  apply();
}

/* The list: only the rows in view are in the page, between two rows that stand for the rest. */
let rowHeight = 40, first = -1, last = -1;
function showRows(again) {
  const scroller = byId("scroller"), height = scroller.clientHeight;
  const from = state.all ? 0 : Math.max(0, Math.floor(scroller.scrollTop / rowHeight) - 8);
  const to = state.all ? shown.length : Math.min(shown.length, Math.ceil((scroller.scrollTop + height) / rowHeight) + 8);
  if (!again && from === first && to === last) return;
  [first, last] = [from, to];
  const body = byId("rows"), focused = body.contains(document.activeElement);
  const made = [space(from)];
  for (let at = from; at < to; at += 1) made.push(line(shown[at], at));
  made.push(space(shown.length - to));
  body.replaceChildren(...made);
  byId("table").setAttribute("aria-rowcount", String(shown.length + 1));
  if (focused) focusCursor();
}
function space(many) {
  const cell = make("td");
  cell.style.height = `${many * rowHeight}px`;
  return make("tr", { class: "space", "aria-hidden": "true" }, cell);
}
function line(row, at) {
  const made = make("tr", { class: `item${row.off ? " off" : ""}${row === state.open ? " open" : ""}`, "aria-rowindex": at + 2, "data-at": at });
  for (const column of COLUMNS) {
    if (column.id === "name") {
      const button = make("button", { type: "button", class: "plain name", tabindex: at === state.cursor ? 0 : -1, title: row.name, "aria-haspopup": "true" }, row.name || NAMELESS);
      made.append(make("th", { scope: "row", class: "col-name" }, button, row.label && row.label !== row.name ? make("span", { class: "label" }, row.label) : null));
    } else {
      made.append(make("td", { class: `col-${column.id}${column.num ? " num" : ""}` }, column.cell(row)));
    }
  }
  return made;
}
function focusCursor() {
  const button = byId("rows").querySelector(`tr[data-at="${state.cursor}"] .name`);
  (button || byId("scroller")).focus({ preventScroll: true });
}
function moveTo(at) {
  const scroller = byId("scroller"), head = byId("heads").offsetHeight;
  state.cursor = Math.max(0, Math.min(shown.length - 1, at));
  const top = state.cursor * rowHeight;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + rowHeight > scroller.scrollTop + scroller.clientHeight - head) scroller.scrollTop = top + rowHeight - scroller.clientHeight + head;
  showRows(true);
  focusCursor();
}
function onKey(event) {
  const page = Math.max(1, Math.floor(byId("scroller").clientHeight / rowHeight) - 2);
  const moves = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -shown.length, End: shown.length };
  if (!(event.key in moves) || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  moveTo(state.cursor + moves[event.key]);
}
function showHeads() {
  byId("heads").replaceChildren(...COLUMNS.map((column) => {
    const sorted = column.id === state.sort ? (state.down ? "descending" : "ascending") : null;
    const says = column.title ? null : `Sort by ${column.says}`;
    const button = make("button", { type: "button", "data-sort": column.id, "aria-label": says, title: says, onclick: () => sortBy(column) }, column.title);
    return make("th", { scope: "col", class: `col-${column.id}${column.num ? " num" : ""}`, "aria-sort": sorted }, button);
  }));
}
function sortBy(column) {
  state.down = state.sort === column.id ? !state.down : column.first === "down";
  state.sort = column.id;
  showHeads();
  byId("heads").querySelector(`[data-sort="${column.id}"]`).focus({ preventScroll: true });
  order();
  apply();
}

/* Details of one: who owns this, how is it scoped, how is it revoked. */
function pairs(...given) {
  const list = make("dl");
  for (const [term, value] of given) {
    if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) continue;
    list.append(make("dt", {}, term), make("dd", {}, Array.isArray(value) ? value.join(", ") : value));
  }
  return list;
}
const code = (values) => (values.length ? make("div", { class: "scopes" }, ...values.map((value) => make("code", {}, value))) : null);
const when = (at, word) => (at === null ? null : `${date(at)}${word ? ` (${word})` : ""}`);
function answering(row) {
  if (!row.owner) return data.stack === null ? "not known: no stack was asked" : row.ownerless ? make("span", { class: "missing" }, "nobody") : "";
  const stands = row.owner_state && row.owner_state !== "active" ? ` (${row.owner_state === "unknown" ? "not in the owners file" : row.owner_state})` : "";
  return make("span", { class: row.owner_state === "active" ? "strong" : "strong missing" }, `${row.owner}${stands}`);
}
function runbook(row) {
  if (!row.runbook || !/^https:\/\/[^\s]+$/i.test(row.runbook)) return row.runbook;
  return make("a", { href: row.runbook, rel: "noreferrer noopener", target: "_blank" }, row.runbook);
}
function finding(f) {
  const head = make("div", {}, make("span", { class: `tag ${f.severity}` }, [f.severity, f.rule, f.kind === "policy" ? "" : f.kind].filter(Boolean).join(" · ")), f.rule && data.titles[f.rule] ? make("span", { class: "quiet hint" }, data.titles[f.rule]) : null);
  return make("li", { class: f.severity }, head, make("div", {}, f.says), f.mend ? make("div", { class: "mend" }, `→ ${f.mend}`) : null);
}
function open(row, focus) {
  state.open = row;
  const since = row.secret_since || row.created_at;
  const panel = byId("details"), heading = make("h2", { tabindex: -1 }, row.name || NAMELESS);
  panel.replaceChildren(
    make("div", { class: "head" }, heading, make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => close() }, "×")),
    make("div", { class: "tags" }, make("span", { class: `tag ${row.standing}` }, row.standing), make("span", { class: "tag" }, row.kind), row.environment ? make("span", { class: "tag" }, row.environment) : null, row.off ? make("span", { class: "tag warning" }, "disabled") : null),
    make("h3", {}, "Who owns this?"),
    pairs(["owner", answering(row)], ["contact", row.contact], ["purpose", row.purpose], ["consumer", row.consumer], ["runbook", runbook(row)], ["identity", row.identity], ["status", row.status]),
    make("h3", {}, "How is it scoped?"),
    pairs(["reaches", row.reaches.length ? make("ul", {}, ...row.reaches.map((each) => make("li", {}, each))) : null], ["scopes", code(row.scopes) || "none is shown"], ["on request", code(row.optional_scopes)],
      ["gets in by", [row.method, ...row.grants].filter(Boolean)], ["people log in", row.interactive ? "yes" : null], ["target", row.target], ["client", row.clients], ["of", row.label], ["key", row.key_ids]),
    make("h3", {}, "How is it revoked?"),
    row.revoke.length ? make("ul", { class: "steps" }, ...row.revoke.map((each) => make("li", {}, each))) : make("p", { class: "quiet" }, "Nothing is known about this."),
    make("h3", {}, "How old is it?"),
    pairs(["secrets", row.secrets === undefined ? "not shown" : String(row.secrets)], ["since", since ? when(Date.parse(since), row.age === null ? "" : `${count(row.age)} days`) : "not shown"],
      ["last used", when(row.last_used, used(row.last_used)) || "not shown"], ["rotates", when(row.next_rotation, until(row.next_rotation))], ["ends", when(row.expires, until(row.expires))],
      ["reviewed", row.reviewed], ["delivered to", row.delivered_to]),
    make("h3", {}, row.findings.length ? `Findings (${row.findings.length})` : "Findings"),
    row.findings.length ? make("ul", { class: "findings" }, ...row.findings.map(finding)) : make("p", { class: "quiet" }, "None."),
  );
  panel.hidden = false;
  byId("table").classList.add("with-details");
  panel.scrollTop = 0;
  showRows(true);
  if (focus) heading.focus({ preventScroll: true });
}
function close() {
  state.open = null;
  byId("details").hidden = true;
  byId("table").classList.remove("with-details");
  showRows(true);
  focusCursor();
}

/* Charts and tables above the list */
const BUCKETS = [["< 30d", 30], ["30–90d", 90], ["90–180d", 180], ["½–1y", 365], ["1–2y", 730], ["2–5y", 1826], ["> 5y", Infinity]];
let agesBy = "standing", agesWidth = 0;
const kinds = [...new Set(rows.map((row) => row.kind))].sort();
function series(row) {
  return agesBy === "standing" ? STANDINGS.indexOf(row.standing) : kinds.indexOf(row.kind) % 7;
}
function showAges() {
  const names = agesBy === "standing" ? STANDINGS : kinds;
  const table = BUCKETS.map(() => names.map(() => 0));
  let dated = 0;
  for (const row of shown) {
    if (row.age === null || row.secrets === undefined) continue;
    table[BUCKETS.findIndex(([, end]) => row.age < end)][series(row)] += 1;
    dated += 1;
  }
  const sums = table.map((each) => each.reduce((a, b) => a + b, 0)), most = Math.max(1, ...sums);
  const width = Math.max(300, agesWidth || (agesWidth = byId("ages").clientWidth)), height = 190, floor = 160, step = width / BUCKETS.length;
  const says = `Ages of ${count(dated)} secrets: ${BUCKETS.map(([label], at) => `${sums[at]} of ${label}`).join(", ")}`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says });
  svg.append(draw("line", { class: "axis", x1: 0, x2: width, y1: floor + 0.5, y2: floor + 0.5 }));
  BUCKETS.forEach(([label], at) => {
    let top = floor;
    table[at].forEach((many, index) => {
      if (!many) return;
      const tall = Math.max(1.5, (many / most) * (floor - 22));
      top -= tall;
      const mark = draw("rect", { class: `mark c${index}`, x: at * step + step * 0.17, y: top, width: step * 0.66, height: tall });
      mark.append(draw("title", {}, `${label}: ${count(many)} ${names[index]}`));
      svg.append(mark);
    });
    if (sums[at]) svg.append(draw("text", { class: "value", x: (at + 0.5) * step, y: top - 6, "text-anchor": "middle" }, count(sums[at])));
    svg.append(draw("text", { x: (at + 0.5) * step, y: height - 10, "text-anchor": "middle" }, label));
  });
  byId("ages").replaceChildren(svg);
  const there = names.map((name, index) => [name, index]).filter(([, index]) => table.some((each) => each[index]));
  const unknown = shown.length - dated;
  byId("ages-legend").replaceChildren(...there.map(([name, index]) => make("li", {}, make("i", { class: `c${index}` }), name)), unknown ? make("li", {}, `${count(unknown)} without a date or a secret`) : "");
}
function showCalendar() {
  const start = Math.floor(now / DAY), lead = (start + 3) % 7, last = start + data.days;
  const due = new Map();
  for (const row of rows) {
    for (const [field, word] of [["next_rotation", "rotates"], ["expires", "ends"]]) {
      if (row[field] === null) continue;
      const day = Math.max(start, Math.floor(row[field] / DAY));
      if (day <= last) due.set(day, [...(due.get(day) || []), { row, word, late: row[field] < now }]);
    }
  }
  byId("calendar-card").hidden = due.size === 0;
  byId("calendar-days").textContent = data.days;
  const size = 15, gap = 3, weeks = Math.ceil((lead + data.days + 1) / 7), most = Math.max(1, ...[...due.values()].map((all) => all.length));
  const total = [...due.values()].reduce((sum, all) => sum + all.length, 0);
  const svg = draw("svg", { viewBox: `0 0 ${weeks * (size + gap) + 34} ${7 * (size + gap) + 18}`, role: "img", "aria-label": `${count(total)} rotations and ends until ${date(last * DAY)}` });
  ["Mon", "", "Wed", "", "Fri", "", "Sun"].forEach((name, at) => svg.append(draw("text", { x: 0, y: 30 + at * (size + gap) }, name)));
  let month = "";
  for (let day = start; day <= last; day += 1) {
    const at = lead + day - start, all = due.get(day) || [], x = 34 + Math.floor(at / 7) * (size + gap), y = 18 + (at % 7) * (size + gap);
    const name = new Date(day * DAY).toLocaleString("en", { month: "short", timeZone: "UTC" });
    if (name !== month && (at % 7 === 0 || day === start)) svg.append(draw("text", { x, y: 11 }, (month = name)));
    const mark = draw("rect", { class: `day${all.length ? " some mark" : ""}${all.some((each) => each.word === "ends") ? " ends" : ""}`, x, y, width: size, height: size, rx: 3 });
    if (all.length) mark.setAttribute("fill-opacity", String(0.35 + 0.65 * Math.sqrt(all.length / most)));
    mark.append(draw("title", {}, `${date(day * DAY)}: ${all.length ? all.slice(0, 12).map((each) => `${each.row.name} ${each.word}`).join(", ") + (all.length > 12 ? ` and ${all.length - 12} more` : "") : "nothing"}`));
    svg.append(mark);
  }
  byId("calendar").replaceChildren(svg);
  const next = [...due.entries()].sort(([a], [b]) => a - b).flatMap(([day, all]) => all.map((each) => ({ ...each, day })));
  const list = make("dl", { class: "due" });
  for (const each of next.slice(0, 6)) {
    const button = make("button", { type: "button", class: "plain", onclick: () => open(each.row, true) }, each.row.name);
    list.append(make("dt", {}, each.late ? "now" : date(each.day * DAY).slice(5)), make("dd", {}, button, ` ${each.word}`));
  }
  byId("calendar-list").replaceChildren(list, next.length > 6 ? make("p", { class: "more" }, `and ${count(next.length - 6)} more until ${date(last * DAY)}`) : "");
}
let findingsBy = "owner";
function showFindings() {
  const groups = new Map();
  for (const row of rows) {
    for (const f of row.findings) {
      const name = findingsBy === "owner" ? row.owner || (row.ownerless ? "nobody" : "") : f.word;
      if (!groups.has(name)) groups.set(name, [0, 0, 0]);
      groups.get(name)[LEVELS.indexOf(f.severity)] += 1;
    }
  }
  const ranked = [...groups.entries()].sort(([, a], [, b]) => b[0] - a[0] || b[1] - a[1] || b[2] - a[2]);
  const body = make("tbody");
  for (const [name, counts] of ranked.slice(0, 8)) {
    const button = !name ? make("span", { class: "quiet" }, "of other stacks") : make("button", { type: "button", class: "plain", onclick: () => { narrow(findingsBy === "owner" ? "owner" : "word", name); byId("list").scrollIntoView(); } }, name);
    const hint = findingsBy === "rule" ? make("span", { class: "quiet hint" }, data.titles[name] || "") : null;
    body.append(make("tr", {}, make("th", { scope: "row" }, button, hint), ...counts.map((many) => make("td", { class: many ? "" : "zero" }, count(many)))));
  }
  const head = make("tr", {}, make("th", { scope: "col" }, findingsBy), ...["errors", "warnings", "notes"].map((name) => make("th", { scope: "col" }, name)));
  const more = ranked.length > 8 ? make("p", { class: "more" }, `and ${count(ranked.length - 8)} more; choose one in the list's filters`) : "";
  byId("findings").replaceChildren(ranked.length ? make("table", { class: "counts" }, make("thead", {}, head), body) : make("p", { class: "quiet" }, "None."), more);
}
function showCoverage() {
  const parts = ["declared", "governed", "allowed", "others", "unmanaged"], colours = [0, 1, 2, 4, 5];
  byId("coverage-card").hidden = data.coverage.length === 0;
  const made = data.coverage.map((each) => {
    const says = parts.filter((part) => each[part]).map((part) => `${count(each[part])} ${part}`).join(", ") || "nothing exists";
    const bar = make("div", { class: "bar", role: "img", "aria-label": says, title: says });
    parts.forEach((part, at) => {
      const mark = make("i", { class: `mark c${colours[at]}` });
      mark.style.flexGrow = each[part];
      if (each[part]) bar.append(mark);
    });
    const share = make("span", {}, make("span", { class: "quiet" }, `${count(each.declared + each.governed)} of ${count(each.total)}  `), `${(each.share * 100).toFixed(each.share < 1 && each.share > 0.99 ? 1 : 0)} %`);
    return make("div", { class: "cover" }, make("p", {}, make("b", {}, each.target), share), bar);
  });
  const legend = make("ul", { class: "legend" }, ...parts.map((part, at) => make("li", {}, make("i", { class: `c${colours[at]}` }), part === "others" ? "elsewhere" : part)));
  byId("coverage").replaceChildren(...made, legend);
}
function showTiles() {
  const made = Object.entries(TILES).filter(([, tile]) => (data.stack !== null || !tile.stack) && (data.stack === null || !tile.first)).map(([name, tile]) => {
    const many = rows.filter(tile.fits).length;
    return make("button", { type: "button", class: `tile ${many ? tile.tone || "" : ""}`, "data-tile": name === "all" ? "" : name, "aria-pressed": "false", onclick: () => { state.tile = name === "all" || state.tile === name ? "" : name; apply(); } },
      make("b", {}, count(many)), make("span", {}, tile.title));
  });
  const oldest = rows.filter((row) => row.counted && row.age !== null && row.secrets).reduce((a, b) => (a && a.age >= b.age ? a : b), null);
  if (oldest) made.push(make("button", { type: "button", class: "tile oldest", title: oldest.name, onclick: () => open(oldest, true) }, make("b", {}, `${count(oldest.age)} d`), make("span", {}, "oldest secret")));
  byId("tiles").replaceChildren(...made);
}
function showSelects() {
  const made = [];
  for (const [name, select] of Object.entries(SELECTS)) {
    const values = new Map();
    for (const row of rows) for (const value of [select.of(row)].flat()) if (value) values.set(value, (values.get(value) || 0) + 1);
    if (values.size < 2) continue;
    const sorted = (select.values || [...values.keys()].sort(compare)).filter((value) => values.has(value));
    const choice = make("select", { id: `only-${name}`, onchange: (event) => { state.only[name] = event.target.value; apply(); } },
      make("option", { value: "" }, "all"), ...sorted.map((value) => make("option", { value }, `${value} (${count(values.get(value))})${name === "word" ? ` ${data.titles[value] || ""}` : ""}`)));
    made.push(make("label", {}, make("span", {}, select.title), choice));
  }
  byId("selects").replaceChildren(...made);
}
function showSwitch(id, options, chosen, choose) {
  byId(id).replaceChildren(...options.map((name) => make("button", { type: "button", "aria-pressed": String(name === chosen), onclick: () => {
    choose(name);
    showSwitch(id, options, name, choose);
  } }, name)));
}
function showLoose() {
  byId("loose").hidden = data.findings.length === 0;
  byId("loose-list").replaceChildren(...data.findings.map((f) => finding({ ...f, says: `${f.subject}: ${f.message}` })));
}

/* Columns that would stand empty are left out. */
const lacks = { owner: "owner", environment: "environment", next: "next_rotation", used: "last_used" };
for (const [name, field] of Object.entries(lacks)) if (!rows.some((row) => row[field])) byId("table").classList.add(`no-${name}`);
if (new Set(rows.map((row) => row.target)).size < 2) byId("table").classList.add("one-target");
if (!rows.some((row) => row.owner)) findingsBy = "rule";

rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || rowHeight;
showTiles();
showSelects();
showSwitch("ages-by", ["standing", "kind"], agesBy, (name) => { agesBy = name; showAges(); });
showSwitch("findings-by", ["owner", "rule"], findingsBy, (name) => { findingsBy = name; showFindings(); });
showHeads();
showCalendar();
showFindings();
showCoverage();
showLoose();
order();
apply();
showAges();

byId("scroller").addEventListener("scroll", () => later(showMore));
window.addEventListener("resize", () => { agesWidth = 0; later(showAges); showRows(true); });
byId("rows").addEventListener("keydown", onKey);
byId("rows").addEventListener("click", (event) => {
  const item = event.target.closest("tr.item");
  if (!item) return;
  state.cursor = Number(item.dataset.at);
  open(shown[state.cursor], true);
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape" && state.open) close(); });
byId("query").addEventListener("input", (event) => { state.query = event.target.value; apply(); });
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", clear);
window.addEventListener("beforeprint", () => { state.all = true; showRows(true); });
window.addEventListener("afterprint", () => { state.all = false; showRows(true); });
document.documentElement.dataset.ready = "yes";
})();
