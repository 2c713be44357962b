/* The columns of the list: what each shows, and how it is sorted. */
const state = { query: "", tile: "", only: {}, sort: "sign", down: false, open: null, cursor: 0, all: false };
let ordered = rows,
  shown = rows;

const { compare } = new Intl.Collator("en", { numeric: true });

const text = (pick) => ({ order: (a, b) => compare(pick(a), pick(b)), known: (row) => pick(row) !== "" });
const number = (pick) => ({ order: (a, b) => pick(a) - pick(b), known: (row) => pick(row) !== null });
const badness = (row) => LEVELS.map((level) => row.findings.filter((f) => f.severity === level).length);
for (const row of rows) row.bad = badness(row);
const worse = (a, b) => b.bad[0] - a.bad[0] || b.bad[1] - a.bad[1] || b.bad[2] - a.bad[2];
const COLUMNS = [
  {
    id: "sign",
    title: "",
    says: "severity",
    order: worse,
    cell: (r) =>
      r.severity === "none" ? "" : make("span", { class: `sign ${r.severity}`, role: "img", "aria-label": r.severity }),
  },
  { id: "name", title: "Name", ...text((r) => r.name) },
  {
    id: "kind",
    title: "Kind",
    ...text((r) => r.kind),
    cell: (r) => (r.kind === "client without secret" ? "no secret" : r.kind),
  },
  {
    id: "standing",
    title: "Standing",
    order: (a, b) => STANDINGS.indexOf(a.standing) - STANDINGS.indexOf(b.standing),
    cell: (r) => make("span", { class: `tag ${r.standing}` }, r.standing),
  },
  { id: "target", title: "Target", ...text((r) => r.target), cell: (r) => r.target },
  { id: "owner", title: "Owner", ...text((r) => r.owner), cell: (r) => owner(r) },
  { id: "environment", title: "Environment", ...text((r) => r.environment), cell: (r) => r.environment },
  {
    id: "age",
    title: "Age",
    num: true,
    first: "down",
    ...number((r) => r.age),
    cell: (r) => (r.age === null ? "" : `${count(r.age)} d`),
  },
  { id: "used", title: "Last used", num: true, ...number((r) => r.last_used), cell: (r) => used(r.last_used) },
  { id: "next", title: "Rotates", num: true, ...number((r) => r.next_rotation), cell: (r) => until(r.next_rotation) },
  { id: "findings", title: "Findings", order: worse, cell: (r) => words(r) },
];
const used = (at) => (at === null ? "" : now - at < DAY ? "today" : `${count(days(now - at))} d ago`);
const until = (at) =>
  at === null ? "" : at <= now ? "due" : at - now < DAY ? "today" : `in ${count(days(at - now))} d`;
function owner(row) {
  if (!row.owner) return row.ownerless && data.stack !== null ? make("span", { class: "missing" }, "nobody") : "";
  return row.owner_state === "gone" || row.ownerless
    ? make("span", { class: "missing" }, `${row.owner}${row.owner_state === "gone" ? " (gone)" : ""}`)
    : row.owner;
}
function words(row) {
  const made = document.createDocumentFragment();
  for (const word of row.words) {
    const level = row.findings.find((f) => f.word === word).severity;
    made.append(
      make(
        "span",
        {
          class: `mini ${level}`,
          title: row.findings
            .filter((f) => f.word === word)
            .map((f) => f.says)
            .join("\n"),
        },
        word,
      ),
    );
  }
  return made;
}

/** Does something once before the next frame, however often it is asked for. */
const asked = new Set();
function later(act) {
  if (asked.has(act)) return;
  asked.add(act);
  requestAnimationFrame(() => {
    asked.delete(act);
    act();
  });
}
const showMore = () => showRows(false);
