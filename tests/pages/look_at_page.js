// What a reader would do with the page's second table, and what the browser made of the rest.
const block = document.querySelectorAll("div.table")[1];
const table = block.querySelector("table");
const [search, select] = [block.querySelector("input"), block.querySelector("select")];
const column = (i) => [...table.tBodies[0].rows].filter((row) => !row.hidden).map((row) => row.cells[i].textContent);
const click = (i) => (table.tHead.rows[0].cells[i].querySelector("button").click(), column(i));
const say = (box, value) => {
  box.value = value;
  box.dispatchEvent(new Event("input", { bubbles: true }));
  return [column(2), block.querySelector("output").textContent];
};
const seen = { names: click(0), sizes: click(2), reversed: click(2) };
seen.state = [...table.querySelectorAll("th")].map((head) => head.getAttribute("aria-sort"));
seen.emptyLast = [click(3), click(3)];
click(2);
seen.cats = say(select, "cat");
seen.both = say(search, "IMG10");
seen.searched = say(select, "");
seen.across = say(search, "jpgcat");
seen.none = say(search, "no such");
seen.all = say(search, "");

document.querySelector("div.table th button").click();
seen.urgent = [...document.querySelector("div.table tbody").rows].map((row) => row.cells[0].textContent);

seen.title = document.title;
seen.heading = document.querySelector("h1").textContent;
const target = (link) => document.querySelector(link.getAttribute("href"));
seen.links = [...document.querySelectorAll("nav a")].map((link) => target(link).querySelector("h2").textContent);
seen.loaded = [...document.images].map((image) => image.complete && image.naturalWidth > 0);
seen.svgs = document.querySelectorAll("svg").length;
seen.tips = document.querySelectorAll("svg title").length;
seen.handlers = document.querySelectorAll("[onerror], [onclick], [onload]").length;
seen.fits = document.documentElement.scrollWidth <= innerWidth;
seen.dark = matchMedia("(prefers-color-scheme: dark)").matches;
seen.paper = getComputedStyle(document.body).backgroundColor;
seen.charts = [...document.querySelectorAll("svg > rect:first-of-type")].map((one) => getComputedStyle(one).fill);
return seen;
