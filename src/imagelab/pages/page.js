"use strict";
// Each table: a click on a header sorts, a second one reverses; search and drop-downs hide the other rows.
const compare = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" }).compare;

function key(row, column) {
  const cell = row.cells[column];
  const text = cell.textContent.trim();
  const value = cell.dataset.v ?? text.replace(/(?<=\d),(?=\d{3})/g, "");
  const number = value === "" ? NaN : Number(value);
  return { text, number, rank: !Number.isNaN(number) ? 0 : text === "" ? 2 : 1 };
}

function ordered(a, b, sign) {
  if (a.rank === 2 || b.rank === 2) return a.rank - b.rank; // empty ones stay below
  if (a.rank !== b.rank) return sign * (a.rank - b.rank);
  return sign * (a.rank === 0 ? Math.sign(a.number - b.number) || 0 : compare(a.text, b.text));
}

function sort(table, head) {
  const sign = head.ariaSort === "ascending" ? -1 : 1;
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", sign > 0 ? "ascending" : "descending");
  const rows = [...table.tBodies[0].rows].map((row) => [key(row, head.cellIndex), row]);
  rows.sort((a, b) => ordered(a[0], b[0], sign));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function sift(block) {
  const wanted = (block.querySelector("input")?.value ?? "").toLowerCase().split(/\s+/).filter(Boolean);
  const chosen = [...block.querySelectorAll("select")].filter((one) => one.selectedIndex > 0);
  const rows = [...block.querySelector("table").tBodies[0].rows];
  let shown = 0;
  for (const row of rows) {
    const text = [...row.cells].map((cell) => cell.textContent).join("\n").toLowerCase();
    const fits = chosen.every((one) => row.cells[one.dataset.column].textContent.trim() === one.value.trim());
    row.hidden = !(fits && wanted.every((word) => text.includes(word)));
    shown += !row.hidden;
  }
  const [some, all] = [shown, rows.length].map((count) => count.toLocaleString("en"));
  const output = block.querySelector("output");
  const rest = shown === rows.length ? "" : ` of ${all}`;
  output.textContent = `${some}${rest} ${rows.length === 1 ? "row" : "rows"}${output.dataset.note}`;
}

for (const block of document.querySelectorAll("div.table")) {
  const table = block.querySelector("table");
  table.tHead.addEventListener("click", (event) => {
    const head = event.target.closest("th");
    if (head) sort(table, head);
  });
  block.querySelector(".bar").addEventListener("input", () => sift(block));
  sift(block); // a page that is reloaded keeps what was typed
}
