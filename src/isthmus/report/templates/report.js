"use strict";
(() => {
  const root = document.documentElement;
  root.classList.add("js");

  // The first number of a cell, or what it says in figures; NaN where it has none.
  const value = cell => {
    if (!cell) return NaN;
    if (cell.dataset.v) return Number(cell.dataset.v);
    const found = /[+\u2212-]?\d[\d,]*(\.\d+)?/.exec(cell.textContent);
    return found ? Number(found[0].replace("\u2212", "-").replace(/,/g, "")) : NaN;
  };
  const words = new Intl.Collator("en", { numeric: true });

  // Positions in the order of what is there: numbers or words, and what has none at the end either way.
  const order = (cells, numeric, sign) => {
    const keys = cells.map(cell => numeric ? value(cell) : cell ? cell.textContent : "");
    const missing = keys.map(key => numeric ? Number.isNaN(key) : !key.trim());
    return cells.map((_, place) => place).sort((a, b) =>
      missing[a] - missing[b] ||
      (missing[a] ? 0 : sign * (numeric ? keys[a] - keys[b] : words.compare(keys[a], keys[b]))) || a - b);
  };

  // Say how a table is sorted, and give the sign of the next order: the largest numbers first, words from A.
  const turn = (head, heads, numeric) => {
    const first = numeric ? "descending" : "ascending";
    const other = numeric ? "ascending" : "descending";
    const next = head.getAttribute("aria-sort") === first ? other : first;
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", next);
    return next === "ascending" ? 1 : -1;
  };

  const sortRows = (table, head) => {
    const numeric = head.classList.contains("number");
    const sign = turn(head, head.parentElement.cells, numeric);
    for (const body of table.tBodies) {
      const rows = [...body.rows].filter(row => !row.classList.contains("fixed"));
      for (const place of order(rows.map(row => row.cells[head.cellIndex]), numeric, sign)) body.append(rows[place]);
    }
  };

  // The columns of targets by the figures of one row; averages stay where they are.
  const sortColumns = (table, head) => {
    const start = 1 + Number(table.dataset.across);
    const heads = [...table.tBodies[0].rows].map(row => row.cells[0]);
    const sign = turn(head, heads, true);
    const places = order([...head.parentElement.cells].slice(start), true, sign);
    for (const row of table.rows) {
      const cells = [...row.cells].slice(start);
      for (const place of places) row.append(cells[place]);
    }
  };

  const button = (head, act) => {
    const made = document.createElement("button");
    const label = head.querySelector(".head");
    made.type = "button";
    made.append(...label.childNodes);
    label.replaceWith(made);
    made.addEventListener("click", act);
  };

  const filter = (list, what) => {
    const items = list.tBodies ? [...list.tBodies[0].rows] : [...list.children];
    if (items.length < 8) return;
    const bar = document.createElement("p"), label = document.createElement("label");
    const input = document.createElement("input"), told = document.createElement("output");
    bar.className = "filter";
    input.type = "search";
    input.autocomplete = "off";
    label.append(`Filter ${what} `, input);
    bar.append(label, told);
    (list.closest(".wide") || list).before(bar);
    const texts = items.map(item => item.textContent.toLowerCase());
    input.addEventListener("input", () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      let shown = 0;
      items.forEach((item, place) => {
        item.hidden = !wanted.every(word => texts[place].includes(word));
        shown += !item.hidden;
      });
      told.value = wanted.length ? `${shown} of ${items.length}` : "";
    });
  };

  // Tables and lists that can be seen; those that are folded wait until they are unfolded.
  const enhance = within => {
    for (const list of within.querySelectorAll(".sortable:not(.on), [data-filter]:not(.on)")) {
      if (list.closest("details:not([open])")) continue;
      list.classList.add("on");
      if (list.dataset.filter) filter(list, list.dataset.filter);
      if (!list.classList.contains("sortable")) continue;
      for (const head of list.tHead.rows[0].cells) button(head, () => sortRows(list, head));
      if (!("across" in list.dataset)) continue;
      for (const row of list.tBodies[0].rows) button(row.cells[0], () => sortColumns(list, row.cells[0]));
    }
  };

  // Where a link leads is unfolded, and has the focus.
  const reveal = () => {
    const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
    if (!target) return;
    for (let fold = target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    if (target.hasAttribute("tabindex")) target.focus({ preventScroll: true });
    target.scrollIntoView();
  };

  enhance(document);
  document.addEventListener("toggle", event => event.target.open && enhance(event.target), true);
  document.addEventListener("click", event => {
    const link = event.target.closest("a[href^='#']");
    if (link && link.hash === location.hash) reveal();
  });
  addEventListener("hashchange", reveal);
  reveal();
})();
