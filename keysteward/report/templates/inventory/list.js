/* Filters */
const TILES = {
  all: { title: "credentials", fits: () => true },
  managed: {
    title: "declared or governed",
    fits: (r) => r.standing === "declared" || r.standing === "governed",
    stack: true,
  },
  unmanaged: {
    title: "unmanaged",
    tone: "warning",
    fits: (r) => r.standing === "unmanaged" || r.standing === "undeclared",
  },
  ownerless: { title: "without owner", tone: "warning", fits: (r) => r.ownerless, stack: true },
  overdue: { title: "overdue or too old", tone: "warning", fits: (r) => r.overdue },
  errors: { title: "with errors", tone: "error", fits: (r) => r.severity === "error", stack: true },
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
const fitting = (pick, value) => (row) => {
  const found = pick(row);
  return Array.isArray(found) ? found.includes(value) : found === value;
};

function apply() {
  const sought = state.query.toLowerCase().split(/\s+/).filter(Boolean);
  const tests = Object.entries(state.only)
    .filter(([, value]) => value)
    .map(([name, value]) => fitting(SELECTS[name].of, value));
  if (state.tile) tests.push(TILES[state.tile].fits);
  shown = ordered.filter(
    (row) => tests.every((test) => test(row)) && sought.every((word) => row.search.includes(word)),
  );
  state.cursor = 0;
  byId("scroller").scrollTop = 0;
  showRows(true);
  byId("count").textContent =
    shown.length === rows.length
      ? `${count(rows.length)} credentials`
      : `${count(shown.length)} of ${count(rows.length)} credentials`;
  byId("clear").hidden = !(sought.length || tests.length);
  byId("none").hidden = shown.length > 0;
  byId("table").hidden = shown.length === 0;
  for (const tile of byId("tiles").children)
    tile.setAttribute("aria-pressed", String(tile.dataset.tile === state.tile));
  for (const name of Object.keys(SELECTS))
    if (byId(`only-${name}`)) byId(`only-${name}`).value = state.only[name] || "";
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
let rowHeight = 40,
  first = -1,
  last = -1;
function showRows(again) {
  const scroller = byId("scroller"),
    height = scroller.clientHeight;
  const from = state.all ? 0 : Math.max(0, Math.floor(scroller.scrollTop / rowHeight) - 8);
  const to = state.all
    ? shown.length
    : Math.min(shown.length, Math.ceil((scroller.scrollTop + height) / rowHeight) + 8);
  if (!again && from === first && to === last) return;
  [first, last] = [from, to];
  const body = byId("rows"),
    focused = body.contains(document.activeElement);
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
  const made = make("tr", {
    class: `item${row.off ? " off" : ""}${row === state.open ? " open" : ""}`,
    "aria-rowindex": at + 2,
    "data-at": at,
  });
  for (const column of COLUMNS) {
    if (column.id === "name") {
      const button = make(
        "button",
        {
          type: "button",
          class: "plain name",
          tabindex: at === state.cursor ? 0 : -1,
          title: row.name,
          "aria-haspopup": "true",
        },
        row.name || NAMELESS,
      );
      made.append(
        make(
          "th",
          { scope: "row", class: "col-name" },
          button,
          row.label && row.label !== row.name ? make("span", { class: "label" }, row.label) : null,
        ),
      );
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
  const scroller = byId("scroller"),
    head = byId("heads").offsetHeight;
  state.cursor = Math.max(0, Math.min(shown.length - 1, at));
  const top = state.cursor * rowHeight;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + rowHeight > scroller.scrollTop + scroller.clientHeight - head)
    scroller.scrollTop = top + rowHeight - scroller.clientHeight + head;
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
  byId("heads").replaceChildren(
    ...COLUMNS.map((column) => {
      const sorted = column.id === state.sort ? (state.down ? "descending" : "ascending") : null;
      const says = column.title ? null : `Sort by ${column.says}`;
      const button = make(
        "button",
        { type: "button", "data-sort": column.id, "aria-label": says, title: says, onclick: () => sortBy(column) },
        column.title,
      );
      return make(
        "th",
        { scope: "col", class: `col-${column.id}${column.num ? " num" : ""}`, "aria-sort": sorted },
        button,
      );
    }),
  );
}
function sortBy(column) {
  state.down = state.sort === column.id ? !state.down : column.first === "down";
  state.sort = column.id;
  showHeads();
  byId("heads").querySelector(`[data-sort="${column.id}"]`).focus({ preventScroll: true });
  order();
  apply();
}
