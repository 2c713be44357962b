/* Details of one: who owns this, how is it scoped, how is it revoked. */
function pairs(...given) {
  const list = make("dl");
  for (const [term, value] of given) {
    if (value === null || value === undefined || value === "" || (Array.isArray(value) && !value.length)) continue;
    list.append(make("dt", {}, term), make("dd", {}, Array.isArray(value) ? value.join(", ") : value));
  }
  return list;
}
const code = (values) =>
  values.length ? make("div", { class: "scopes" }, ...values.map((value) => make("code", {}, value))) : null;
const when = (at, word) => (at === null ? null : `${date(at)}${word ? ` (${word})` : ""}`);
function answering(row) {
  if (!row.owner)
    return data.stack === null
      ? "not known: no stack was asked"
      : row.ownerless
        ? make("span", { class: "missing" }, "nobody")
        : "";
  const stands =
    row.owner_state && row.owner_state !== "active"
      ? ` (${row.owner_state === "unknown" ? "not in the owners file" : row.owner_state})`
      : "";
  return make("span", { class: row.owner_state === "active" ? "strong" : "strong missing" }, `${row.owner}${stands}`);
}
function runbook(row) {
  if (!row.runbook || !/^https:\/\/[^\s]+$/i.test(row.runbook)) return row.runbook;
  return make("a", { href: row.runbook, rel: "noreferrer noopener", target: "_blank" }, row.runbook);
}
function finding(f) {
  const head = make(
    "div",
    {},
    make(
      "span",
      { class: `tag ${f.severity}` },
      [f.severity, f.rule, f.kind === "policy" ? "" : f.kind].filter(Boolean).join(" · "),
    ),
    f.rule && data.titles[f.rule] ? make("span", { class: "quiet hint" }, data.titles[f.rule]) : null,
  );
  return make(
    "li",
    { class: f.severity },
    head,
    make("div", {}, f.says),
    f.mend ? make("div", { class: "mend" }, `→ ${f.mend}`) : null,
  );
}
function open(row, focus) {
  state.open = row;
  const since = row.secret_since || row.created_at;
  const panel = byId("details"),
    heading = make("h2", { tabindex: -1 }, row.name || NAMELESS);
  panel.replaceChildren(
    make(
      "div",
      { class: "head" },
      heading,
      make("button", { type: "button", class: "close", "aria-label": "Close", onclick: () => close() }, "×"),
    ),
    make(
      "div",
      { class: "tags" },
      make("span", { class: `tag ${row.standing}` }, row.standing),
      make("span", { class: "tag" }, row.kind),
      row.environment ? make("span", { class: "tag" }, row.environment) : null,
      row.off ? make("span", { class: "tag warning" }, "disabled") : null,
    ),
    make("h3", {}, "Who owns this?"),
    pairs(
      ["owner", answering(row)],
      ["contact", row.contact],
      ["purpose", row.purpose],
      ["consumer", row.consumer],
      ["runbook", runbook(row)],
      ["identity", row.identity],
      ["status", row.status],
    ),
    make("h3", {}, "How is it scoped?"),
    pairs(
      ["reaches", row.reaches.length ? make("ul", {}, ...row.reaches.map((each) => make("li", {}, each))) : null],
      ["scopes", code(row.scopes) || "none is shown"],
      ["on request", code(row.optional_scopes)],
      ["gets in by", [row.method, ...row.grants].filter(Boolean)],
      ["people log in", row.interactive ? "yes" : null],
      ["target", row.target],
      ["client", row.clients],
      ["of", row.label],
      ["key", row.key_ids],
    ),
    make("h3", {}, "How is it revoked?"),
    row.revoke.length
      ? make("ul", { class: "steps" }, ...row.revoke.map((each) => make("li", {}, each)))
      : make("p", { class: "quiet" }, "Nothing is known about this."),
    make("h3", {}, "How old is it?"),
    pairs(
      ["secrets", row.secrets === undefined ? "not shown" : String(row.secrets)],
      ["since", since ? when(Date.parse(since), row.age === null ? "" : `${count(row.age)} ${row.age === 1 ? "day" : "days"}`) : "not shown"],
      ["last used", when(row.last_used, used(row.last_used)) || "not shown"],
      ["rotates", when(row.next_rotation, until(row.next_rotation))],
      ["ends", when(row.expires, until(row.expires))],
      ["reviewed", row.reviewed],
      ["delivered to", row.delivered_to],
    ),
    make("h3", {}, row.findings.length ? `Findings (${row.findings.length})` : "Findings"),
    row.findings.length
      ? make("ul", { class: "findings" }, ...row.findings.map(finding))
      : make("p", { class: "quiet" }, "None."),
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
