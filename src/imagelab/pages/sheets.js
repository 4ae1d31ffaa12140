"use strict";
// All images: a chunk at a time, each a part of a sheet of thumbnails, which is loaded when it is first shown.
const CHUNK = 200;

for (const block of document.querySelectorAll("div.sheets")) {
  const all = JSON.parse(block.querySelector("script").textContent);
  const [search, order, ...chosen] = block.querySelectorAll("input, select");
  const [grid, output, end] = ["div.grid", "output", "div.end"].map((name) => block.querySelector(name));
  let places = [];

  const marks = (i) => all.marks[i] ?? [];
  const tests = {
    class: (i, value) => all.labels[i] === value,
    split: (i, value) => all.splits[i] === value,
    finding: (i, value) => (value === -1 ? marks(i).length > 0 : marks(i).includes(value)),
  };

  function tile(i) {
    const [width, height] = all.sizes[i];
    const long = Math.max(width, height, 1);
    const box = document.createElement("a");
    const image = document.createElement("i");
    const [across, down] = [width, height].map((side) => (side ? Math.max(8, (all.shown * side) / long) : all.shown));
    const at = i % (all.columns * all.columns);
    const [column, row] = [at % all.columns, Math.floor(at / all.columns)];
    const sheet = String(Math.floor(i / (all.columns * all.columns))).padStart(4, "0");
    image.style.width = `${across}px`;
    image.style.height = `${down}px`;
    image.style.backgroundImage = `url("${all.folder}/${sheet}.jpg")`;
    image.style.backgroundSize = `${across * all.columns}px ${down * all.columns}px`;
    image.style.backgroundPosition = `${-across * column}px ${-down * row}px`;
    const found = marks(i).map((mark) => all.findings[mark]);
    const name = all.names[i];
    box.title = [name, `${all.words.split[all.splits[i]]}, ${all.words.class[all.labels[i]]}, ${width} x ${height}`,
      `brightness ${all.brightness[i] / 1000}`, ...found].join("\n");
    if (found.length) box.className = "found";
    if (all.root && !name.includes("\\")) {
      const path = name.startsWith("/") ? name : `${all.root}/${name}`;
      box.href = path.split("/").map(encodeURIComponent).join("/");
      box.target = "_blank";
    }
    box.append(image);
    return box;
  }

  function more() {
    const first = grid.childElementCount;
    grid.append(...places.slice(first, first + CHUNK).map(tile));
    end.hidden = grid.childElementCount >= places.length;
  }

  function show() {
    const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const filters = chosen.filter((one) => one.value !== "").map((one) => [tests[one.name], Number(one.value)]);
    places = [...all.names.keys()].filter((i) => filters.every(([test, value]) => test(i, value)));
    places = places.filter((i) => wanted.every((word) => all.names[i].toLowerCase().includes(word)));
    const [by, sign] = [order.value.slice(1), order.value[0] === "-" ? -1 : 1];
    const key = { class: (i) => all.labels[i], split: (i) => all.splits[i], brightness: (i) => all.brightness[i],
      size: (i) => all.sizes[i][0] * all.sizes[i][1], finding: (i) => marks(i).length }[by];
    if (key) places.sort((a, b) => sign * (key(a) - key(b)) || a - b);
    const [some, count] = [places.length, all.names.length].map((number) => number.toLocaleString("en"));
    output.textContent = some === count ? `${count} images` : `${some} of ${count} images`;
    grid.replaceChildren();
    more();
  }

  block.querySelector(".bar").addEventListener("input", show);
  new IntersectionObserver((seen) => seen.some((one) => one.isIntersecting) && !end.hidden && more(), {
    root: block.querySelector(".box"), rootMargin: "600px",
  }).observe(end);
  show();
}
