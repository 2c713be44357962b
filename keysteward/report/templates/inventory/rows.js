/* What the page holds: its rows, with what each is sorted and searched by. */
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
  for (const field of ["scopes", "optional_scopes", "reaches", "revoke", "delivered_to", "grants"])
    lists[field] = (raw[field] || []).map(text);
  const findings = (raw.findings || [])
    .map((f) => ({ ...f, says: text(f.says), mend: f.mend < 0 ? "" : text(f.mend), word: f.rule || f.kind }))
    .sort((a, b) => LEVELS.indexOf(a.severity) - LEVELS.indexOf(b.severity));
  const row = {
    label: "",
    owner: "",
    owner_state: "",
    contact: "",
    environment: "",
    consumer: "",
    clients: [],
    key_ids: [],
    severity: "none",
    ...raw,
    ...lists,
    findings,
    index,
    purpose: raw.purpose === undefined ? "" : text(raw.purpose),
    age: raw.age === undefined ? null : raw.age,
  };
  for (const field of ["last_used", "next_rotation", "expires"])
    row[field] = raw[field] ? Date.parse(raw[field]) : null;
  row.counted = row.standing !== "built-in" && row.kind !== "client without secret";
  row.words = findings.map((f) => f.word).filter((word, at, all) => all.indexOf(word) === at && word !== row.standing);
  row.search = [
    row.name,
    row.label,
    row.identity,
    row.kind,
    row.standing,
    row.target,
    row.owner,
    row.contact,
    row.environment,
    row.purpose,
    row.consumer,
    row.method,
    row.status,
    ...row.clients,
    ...row.key_ids,
    ...row.scopes,
    ...row.optional_scopes,
    ...row.reaches,
    ...row.delivered_to,
    ...row.grants,
    ...findings.flatMap((f) => [f.rule, f.kind, f.severity, f.says]),
  ]
    .filter(Boolean)
    .join("\n")
    .toLowerCase();
  return row;
});
