/* Charts and tables above the list */
const BUCKETS = [
  ["< 30d", 30],
  ["30–90d", 90],
  ["90–180d", 180],
  ["½–1y", 365],
  ["1–2y", 730],
  ["2–5y", 1826],
  ["> 5y", Infinity],
];
let agesBy = "standing",
  agesWidth = 0;
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
  const sums = table.map((each) => each.reduce((a, b) => a + b, 0)),
    most = Math.max(1, ...sums);
  const width = Math.max(300, agesWidth || (agesWidth = byId("ages").clientWidth)),
    height = 190,
    floor = 160,
    step = width / BUCKETS.length;
  const says = `Ages of ${count(dated)} secrets: ${BUCKETS.map(([label], at) => `${sums[at]} of ${label}`).join(", ")}`;
  const svg = draw("svg", { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": says });
  svg.append(draw("line", { class: "axis", x1: 0, x2: width, y1: floor + 0.5, y2: floor + 0.5 }));
  BUCKETS.forEach(([label], at) => {
    let top = floor;
    table[at].forEach((many, index) => {
      if (!many) return;
      const tall = Math.max(1.5, (many / most) * (floor - 22));
      top -= tall;
      const mark = draw("rect", {
        class: `mark c${index}`,
        x: at * step + step * 0.17,
        y: top,
        width: step * 0.66,
        height: tall,
      });
      mark.append(draw("title", {}, `${label}: ${count(many)} ${names[index]}`));
      svg.append(mark);
    });
    if (sums[at])
      svg.append(
        draw("text", { class: "value", x: (at + 0.5) * step, y: top - 6, "text-anchor": "middle" }, count(sums[at])),
      );
    svg.append(draw("text", { x: (at + 0.5) * step, y: height - 10, "text-anchor": "middle" }, label));
  });
  byId("ages").replaceChildren(svg);
  const there = names.map((name, index) => [name, index]).filter(([, index]) => table.some((each) => each[index]));
  const unknown = shown.length - dated;
  byId("ages-legend").replaceChildren(
    ...there.map(([name, index]) => make("li", {}, make("i", { class: `c${index}` }), name)),
    unknown ? make("li", {}, `${count(unknown)} without a date or a secret`) : "",
  );
}
function showCalendar() {
  const start = Math.floor(now / DAY),
    lead = (start + 3) % 7,
    last = start + data.days;
  const due = new Map();
  for (const row of rows) {
    for (const [field, word] of [
      ["next_rotation", "rotates"],
      ["expires", "ends"],
    ]) {
      if (row[field] === null) continue;
      const day = Math.max(start, Math.floor(row[field] / DAY));
      if (day <= last) due.set(day, [...(due.get(day) || []), { row, word, late: row[field] < now }]);
    }
  }
  byId("calendar-card").hidden = due.size === 0;
  byId("calendar-days").textContent = data.days;
  const size = 15,
    gap = 3,
    weeks = Math.ceil((lead + data.days + 1) / 7),
    most = Math.max(1, ...[...due.values()].map((all) => all.length));
  const total = [...due.values()].reduce((sum, all) => sum + all.length, 0);
  const svg = draw("svg", {
    viewBox: `0 0 ${weeks * (size + gap) + 34} ${7 * (size + gap) + 18}`,
    role: "img",
    "aria-label": `${count(total)} rotations and ends until ${date(last * DAY)}`,
  });
  ["Mon", "", "Wed", "", "Fri", "", "Sun"].forEach((name, at) =>
    svg.append(draw("text", { x: 0, y: 30 + at * (size + gap) }, name)),
  );
  let month = "";
  for (let day = start; day <= last; day += 1) {
    const at = lead + day - start,
      all = due.get(day) || [],
      x = 34 + Math.floor(at / 7) * (size + gap),
      y = 18 + (at % 7) * (size + gap);
    const name = new Date(day * DAY).toLocaleString("en", { month: "short", timeZone: "UTC" });
    if (name !== month && (at % 7 === 0 || day === start)) svg.append(draw("text", { x, y: 11 }, (month = name)));
    const mark = draw("rect", {
      class: `day${all.length ? " some mark" : ""}${all.some((each) => each.word === "ends") ? " ends" : ""}`,
      x,
      y,
      width: size,
      height: size,
      rx: 3,
    });
    if (all.length) mark.setAttribute("fill-opacity", String(0.35 + 0.65 * Math.sqrt(all.length / most)));
    mark.append(
      draw(
        "title",
        {},
        `${date(day * DAY)}: ${
          all.length
            ? all
                .slice(0, 12)
                .map((each) => `${each.row.name} ${each.word}`)
                .join(", ") + (all.length > 12 ? ` and ${all.length - 12} more` : "")
            : "nothing"
        }`,
      ),
    );
    svg.append(mark);
  }
  byId("calendar").replaceChildren(svg);
  const next = [...due.entries()]
    .sort(([a], [b]) => a - b)
    .flatMap(([day, all]) => all.map((each) => ({ ...each, day })));
  const list = make("dl", { class: "due" });
  for (const each of next.slice(0, 6)) {
    const button = make(
      "button",
      { type: "button", class: "plain", onclick: () => open(each.row, true) },
      each.row.name,
    );
    list.append(
      make("dt", {}, each.late ? "now" : date(each.day * DAY).slice(5)),
      make("dd", {}, button, ` ${each.word}`),
    );
  }
  byId("calendar-list").replaceChildren(
    list,
    next.length > 6 ? make("p", { class: "more" }, `and ${count(next.length - 6)} more until ${date(last * DAY)}`) : "",
  );
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
    const button = !name
      ? make("span", { class: "quiet" }, "of other stacks")
      : make(
          "button",
          {
            type: "button",
            class: "plain",
            onclick: () => {
              narrow(findingsBy === "owner" ? "owner" : "word", name);
              byId("list").scrollIntoView();
            },
          },
          name,
        );
    const hint = findingsBy === "rule" ? make("span", { class: "quiet hint" }, data.titles[name] || "") : null;
    body.append(
      make(
        "tr",
        {},
        make("th", { scope: "row" }, button, hint),
        ...counts.map((many) => make("td", { class: many ? "" : "zero" }, count(many))),
      ),
    );
  }
  const head = make(
    "tr",
    {},
    make("th", { scope: "col" }, findingsBy),
    ...["errors", "warnings", "notes"].map((name) => make("th", { scope: "col" }, name)),
  );
  const more =
    ranked.length > 8
      ? make("p", { class: "more" }, `and ${count(ranked.length - 8)} more; choose one in the list's filters`)
      : "";
  byId("findings").replaceChildren(
    ranked.length
      ? make("table", { class: "counts" }, make("thead", {}, head), body)
      : make("p", { class: "quiet" }, "None."),
    more,
  );
}
function showCoverage() {
  const parts = ["declared", "governed", "allowed", "others", "unmanaged"],
    colours = [0, 1, 2, 4, 5];
  byId("coverage-card").hidden = data.coverage.length === 0;
  const made = data.coverage.map((each) => {
    const says =
      parts
        .filter((part) => each[part])
        .map((part) => `${count(each[part])} ${part}`)
        .join(", ") || "nothing exists";
    const bar = make("div", { class: "bar", role: "img", "aria-label": says, title: says });
    parts.forEach((part, at) => {
      const mark = make("i", { class: `mark c${colours[at]}` });
      mark.style.flexGrow = each[part];
      if (each[part]) bar.append(mark);
    });
    const share = make(
      "span",
      {},
      make("span", { class: "quiet" }, `${count(each.declared + each.governed)} of ${count(each.total)}  `),
      `${Math.floor(each.share * 100 + 1e-9)} %`,
    );
    return make("div", { class: "cover" }, make("p", {}, make("b", {}, each.target), share), bar);
  });
  const legend = make(
    "ul",
    { class: "legend" },
    ...parts.map((part, at) =>
      make("li", {}, make("i", { class: `c${colours[at]}` }), part === "others" ? "elsewhere" : part),
    ),
  );
  byId("coverage").replaceChildren(...made, legend);
}
function showTiles() {
  const made = Object.entries(TILES)
    .filter(([, tile]) => (data.stack !== null || !tile.stack) && (data.stack === null || !tile.first))
    .map(([name, tile]) => {
      const many = rows.filter(tile.fits).length;
      return make(
        "button",
        {
          type: "button",
          class: `tile ${many ? tile.tone || "" : ""}`,
          "data-tile": name === "all" ? "" : name,
          "aria-pressed": "false",
          onclick: () => {
            state.tile = name === "all" || state.tile === name ? "" : name;
            apply();
          },
        },
        make("b", {}, count(many)),
        make("span", {}, tile.title),
      );
    });
  const oldest = rows
    .filter((row) => row.counted && row.age !== null && row.secrets)
    .reduce((a, b) => (a && a.age >= b.age ? a : b), null);
  if (oldest)
    made.push(
      make(
        "button",
        { type: "button", class: "tile oldest", title: oldest.name, onclick: () => open(oldest, true) },
        make("b", {}, `${count(oldest.age)} d`),
        make("span", {}, "oldest secret"),
      ),
    );
  byId("tiles").replaceChildren(...made);
}
function showSelects() {
  const made = [];
  for (const [name, select] of Object.entries(SELECTS)) {
    const values = new Map();
    for (const row of rows)
      for (const value of [select.of(row)].flat()) if (value) values.set(value, (values.get(value) || 0) + 1);
    if (values.size < 2) continue;
    const sorted = (select.values || [...values.keys()].sort(compare)).filter((value) => values.has(value));
    const choice = make(
      "select",
      {
        id: `only-${name}`,
        onchange: (event) => {
          state.only[name] = event.target.value;
          apply();
        },
      },
      make("option", { value: "" }, "all"),
      ...sorted.map((value) =>
        make(
          "option",
          { value },
          `${value} (${count(values.get(value))})${name === "word" ? ` ${data.titles[value] || ""}` : ""}`,
        ),
      ),
    );
    made.push(make("label", {}, make("span", {}, select.title), choice));
  }
  byId("selects").replaceChildren(...made);
}
function showSwitch(id, options, chosen, choose) {
  byId(id).replaceChildren(
    ...options.map((name) =>
      make(
        "button",
        {
          type: "button",
          "aria-pressed": String(name === chosen),
          onclick: () => {
            choose(name);
            showSwitch(id, options, name, choose);
          },
        },
        name,
      ),
    ),
  );
}
function showLoose() {
  byId("loose").hidden = data.findings.length === 0;
  byId("loose-list").replaceChildren(
    ...data.findings.map((f) => finding({ ...f, says: `${f.subject}: ${f.message}` })),
  );
}
