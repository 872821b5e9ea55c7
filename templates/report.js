"use strict";
(() => {
  const scale = { T: 1e12, B: 1e9, M: 1e6 };
  const value = (text) => {
    const t = text.trim();
    const m = t.match(/^([+\-−]?)<?([\d,]*\.?\d+)([TBM])?/);
    if (m) return (m[1] && m[1] !== "+" ? -1 : 1) * parseFloat(m[2].replace(/,/g, "")) * (scale[m[3]] || 1);
    return t === "no limit" ? Infinity : t;
  };
  const compare = (a, b) => {
    if (typeof a === "number" && typeof b === "number") return a - b;
    if (typeof a === "number") return -1;
    if (typeof b === "number") return 1;
    return a.localeCompare(b, "en");
  };
  for (const table of document.querySelectorAll("table.sortable")) {
    const heads = [...table.tHead.rows[0].cells];
    heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((h) => h.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].map((row) => [value(row.cells[column].textContent), row]);
      rows.sort((x, y) => (down ? -1 : 1) * compare(x[0], y[0]));
      body.append(...rows.map((r) => r[1]));
    }));
  }
  const all = [...document.querySelectorAll("details")];
  const unfold = document.getElementById("unfold");
  unfold.addEventListener("click", () => {
    const open = all.some((d) => !d.open);
    all.forEach((d) => { d.open = open; });
    unfold.textContent = open ? "Fold all" : "Unfold all";
  });
  document.getElementById("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const dark = root.dataset.theme ? root.dataset.theme === "dark"
      : matchMedia("(prefers-color-scheme: dark)").matches;
    root.dataset.theme = dark ? "light" : "dark";
  });
  const target = location.hash && document.getElementById(location.hash.slice(1));
  if (target && target.tagName === "DETAILS") target.open = true;
  let folded = [];
  addEventListener("beforeprint", () => {
    folded = all.filter((d) => !d.open);
    folded.forEach((d) => { d.open = true; });
  });
  addEventListener("afterprint", () => folded.forEach((d) => { d.open = false; }));
})();
