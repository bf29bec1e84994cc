/**
 * Style and script of the page of a module, as text that goes into it. The script makes the list of
 * functions and the table of the one that is chosen from data in the page, and writes names only as
 * text.
 *
 * @module
 */

/** Style of the page: a list beside the code, above it where the window is narrow. */
export const MODULE_STYLE = `
details{margin:10px 0}summary{cursor:pointer}summary h2{display:inline;margin:0}
.code{display:grid;grid-template-columns:minmax(220px,320px) minmax(0,1fr);gap:12px;align-items:start}
#list{max-height:80vh;overflow:auto;border:1px solid var(--line);border-radius:4px}
#list button{display:flex;gap:8px;justify-content:space-between;width:100%;border:0;border-radius:0;
border-bottom:1px solid var(--line);padding:4px 8px;text-align:left;font-family:var(--mono);font-size:12px}
#list button span:first-child{overflow-wrap:anywhere}
#list button span:last-child{color:var(--dim);white-space:nowrap}
#list button[aria-current=true]{background:var(--panel);box-shadow:inset 4px 0 var(--accent);font-weight:700}
#list button:focus-visible{outline-offset:-2px}
#view .scroll{max-height:80vh;overflow:auto}
#view td{font-family:var(--mono);font-size:12px;border-top:0;padding:1px 10px;white-space:pre}
#view td:nth-child(2),#view td:nth-child(6){max-width:44ch;overflow:hidden;text-overflow:ellipsis}
#view tr.region td{border-top:1px solid var(--dim)}
#view td.fuel{font-weight:700}
#view tr.hit td{background:var(--hit);color:var(--hit-fg)}
#view h3{margin:0 0 6px;font-size:14px;font-family:var(--mono);overflow-wrap:anywhere}
#view button.more{margin:8px}
.row{display:block;width:100%;border:0;text-align:left;font-family:var(--mono);font-size:12px;overflow-wrap:anywhere}
@media (max-width:760px){.code{grid-template-columns:minmax(0,1fr)}#list{max-height:32vh}}
`;

/** Script of the page. */
export const MODULE_SCRIPT = String.raw`"use strict";
(() => {
  const { functions, texts, hasLines } = JSON.parse(document.getElementById("data").textContent);
  const list = document.getElementById("list"), view = document.getElementById("view");
  const field = document.getElementById("search"), count = document.getElementById("count");
  const grouped = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");
  const step = 2000, mostHits = 200, numbers = 8;
  // Searching goes by text: each is looked at once, and a row matches when one of its texts does.
  const lower = texts.map((text) => text.toLowerCase());
  const sizeOf = (fn) => fn.rows ? fn.rows.length / numbers : 0;
  let current = -1;

  const make = (tag, text, kind) => {
    const element = document.createElement(tag);
    if (text !== undefined) element.textContent = text;
    if (kind) element.className = kind;
    return element;
  };
  // A cell has room for some 44 characters; what is longer can be read in its title.
  const titled = (cell) => {
    if (cell.textContent.length > 42) cell.title = cell.textContent.trim();
    return cell;
  };
  // Moves the content of a box alone: the page begins at its top.
  const reveal = (box, element) => {
    const frame = box.getBoundingClientRect(), place = element.getBoundingClientRect();
    if (place.top < frame.top) box.scrollTop -= frame.top - place.top;
    else if (place.bottom > frame.bottom) box.scrollTop += place.bottom - frame.bottom;
  };
  const hex = (value) => value < 0 ? "" : "0x" + value.toString(16);

  const buttons = functions.map((fn, number) => {
    const button = make("button");
    button.type = "button";
    button.append(make("span", fn.name), make("span", grouped(fn.fuel) + " fuel"));
    button.title = grouped(fn.instructions) + " instructions, " + grouped(fn.charges) + " charges";
    button.addEventListener("click", () => open(number, -1));
    list.append(button);
    return button;
  });

  function lines(fn, body, from, hit) {
    const end = Math.min(sizeOf(fn), Math.max(from + step, hit + 1));
    let last = from === 0 ? -1 : fn.rows[numbers * from - 1];
    for (let n = from; n < end; n++) {
      const [offset, depth, operator, cost, pc, instruction, fuel, source] =
        fn.rows.slice(numbers * n, numbers * (n + 1));
      const row = make("tr", undefined, (fuel >= 0 ? "region" : "") + (n === hit ? " hit" : ""));
      row.append(
        make("td", hex(offset)),
        titled(make("td", "  ".repeat(depth) + texts[operator])),
        make("td", cost > 0 ? String(cost) : "", "n"),
        make("td", fuel < 0 ? "" : grouped(fuel), "n fuel"),
        make("td", pc < 0 ? "" : String(pc), "n"),
        titled(make("td", texts[instruction])),
      );
      if (hasLines) {
        const place = source < 0 || source === last ? "" : texts[source];
        const cell = make("td", place.slice(place.lastIndexOf("/") + 1));
        if (place !== "") cell.title = place;
        row.append(cell);
      }
      if (source >= 0) last = source;
      body.append(row);
    }
    return end;
  }

  function open(number, hit) {
    if (current >= 0) buttons[current].removeAttribute("aria-current");
    current = number;
    const fn = functions[number];
    buttons[number].setAttribute("aria-current", "true");
    reveal(list, buttons[number]);
    view.replaceChildren();
    const index = fn.index < 0 ? "" : "function " + fn.index + ", ";
    view.append(make("h3", fn.name), make("p", index + "pc " + fn.pc + ", " + grouped(fn.instructions) +
      " instructions, " + grouped(fn.fuel) + " static fuel in " + grouped(fn.charges) + (fn.charges === 1 ? " region" : " regions"), "dim"));
    if (!fn.rows) return void view.append(make("p", "The code is left out: the page would be too large."));
    const scroll = make("div", undefined, "scroll"), table = make("table");
    const head = make("thead"), titles = make("tr"), body = make("tbody");
    for (const [title, kind] of [["Wasm", ""], ["operator", ""], ["cost", "n"], ["fuel", "n"], ["pc", "n"],
      ["rWasm", ""], ...(hasLines ? [["source", ""]] : [])]) {
      const cell = make("th", title, kind);
      cell.scope = "col";
      titles.append(cell);
    }
    head.append(titles);
    table.append(head, body);
    scroll.append(table);
    scroll.tabIndex = 0;
    view.append(scroll);
    let done = lines(fn, body, 0, hit);
    if (done < sizeOf(fn)) {
      const more = make("button", "Show more", "more");
      more.type = "button";
      more.addEventListener("click", () => {
        done = lines(fn, body, done, -1);
        if (done === sizeOf(fn)) more.remove();
      });
      view.append(more);
    }
    const row = body.querySelector(".hit");
    if (row) row.scrollIntoView({ block: "center" });
  }

  function search(query) {
    const text = query.trim().toLowerCase();
    const named = functions.map((fn) => fn.name.toLowerCase().includes(text));
    const matching = named.slice();
    const hits = [];
    let found = 0;
    const hit = lower.map((part) => part.includes(text));
    const offset = text.startsWith("0x") ? Number(text) : -1, pc = /^\d+$/.test(text) ? Number(text) : -1;
    if (text !== "") {
      functions.forEach((fn, number) => {
        const rows = fn.rows || [];
        for (let at = 0; at < rows.length; at += numbers) {
          const found_ = hit[rows[at + 2]] || hit[rows[at + 5]] || rows[at + 7] >= 0 && hit[rows[at + 7]] ||
            offset >= 0 && rows[at] === offset || pc >= 0 && rows[at + 4] === pc;
          if (!found_) continue;
          matching[number] = true;
          if (found++ < mostHits) hits.push([number, at / numbers]);
        }
      });
    }
    buttons.forEach((button, n) => {
      button.hidden = !matching[n];
      button.style.display = button.hidden ? "none" : "";
    });
    if (text === "") {
      count.textContent = "";
      return open(Math.max(0, current), -1);
    }
    const names = named.filter(Boolean).length;
    count.textContent = grouped(names) + (names === 1 ? " name, " : " names, ") +
      grouped(found) + (found === 1 ? " row" : " rows");
    view.replaceChildren();
    if (found === 0) view.append(make("p", "No row of code matches.", "dim"));
    for (const [number, at] of hits) {
      const row = functions[number].rows.slice(numbers * at, numbers * (at + 1));
      const place = row[0] < 0 ? "pc " + row[4] : hex(row[0]);
      const what = [texts[row[2]], texts[row[5]]].filter((part) => part !== "").join("  →  ");
      const button = make("button", functions[number].name + "  " + place + "  " + what, "row");
      button.type = "button";
      button.addEventListener("click", () => open(number, at));
      view.append(button);
    }
    if (found > mostHits) view.append(make("p", "The first " + mostHits + " rows are listed.", "dim"));
  }

  let waiting = 0;
  field.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => search(field.value), 120);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "/" && event.target !== field) {
      field.focus();
      event.preventDefault();
    } else if (event.key === "Escape" && field.value !== "") {
      field.value = "";
      search("");
    } else if ((event.key === "ArrowDown" || event.key === "ArrowUp") && list.contains(document.activeElement)) {
      const seen = buttons.filter((button) => !button.hidden);
      const at = seen.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
      if (seen[at]) seen[at].focus();
      event.preventDefault();
    }
  });
  const first = functions.findIndex(({ index, rows }) => index >= 0 && rows && rows.some((offset, at) => at % numbers === 0 && offset >= 0));
  if (functions.length > 0) open(Math.max(0, first), -1);
})();
`;
