/* Columns that would stand empty are left out. */
const lacks = { owner: "owner", environment: "environment", next: "next_rotation", used: "last_used" };
for (const [name, field] of Object.entries(lacks))
  if (!rows.some((row) => row[field])) byId("table").classList.add(`no-${name}`);
if (new Set(rows.map((row) => row.target)).size < 2) byId("table").classList.add("one-target");
const owned = rows.some((row) => row.owner);
if (!owned) findingsBy = "rule";
byId("findings-by").hidden = !owned;

rowHeight = parseFloat(getComputedStyle(document.documentElement).getPropertyValue("--row")) || rowHeight;
showTiles();
showSelects();
showSwitch("ages-by", ["standing", "kind"], agesBy, (name) => {
  agesBy = name;
  showAges();
});
showSwitch("findings-by", ["owner", "rule"], findingsBy, (name) => {
  findingsBy = name;
  showFindings();
});
showHeads();
showCalendar();
showFindings();
showCoverage();
showLoose();
order();
apply();
showAges();

byId("scroller").addEventListener("scroll", () => later(showMore));
window.addEventListener("resize", () => {
  agesWidth = 0;
  later(showAges);
  showRows(true);
});
byId("rows").addEventListener("keydown", onKey);
byId("rows").addEventListener("click", (event) => {
  const item = event.target.closest("tr.item");
  if (!item) return;
  state.cursor = Number(item.dataset.at);
  open(shown[state.cursor], true);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && state.open) close();
});
byId("query").addEventListener("input", (event) => {
  state.query = event.target.value;
  apply();
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("clear").addEventListener("click", clear);
window.addEventListener("beforeprint", () => {
  state.all = true;
  showRows(true);
});
window.addEventListener("afterprint", () => {
  state.all = false;
  showRows(true);
});
document.documentElement.dataset.ready = "yes";
