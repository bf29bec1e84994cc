/**
 * Style and script of a flame graph, as text that goes into the files. The script finds its frames in
 * the document and only moves, hides and marks them; it makes no elements from names. It runs in
 * browsers, alone in an SVG or in a page with a search field.
 *
 * @module
 */

/** Style of the picture, in light and dark. Frames are told apart by gaps and text, not by color. */
export const FLAME_STYLE = `
.flame{--bg:#fff;--fg:#17181c;--dim:#55585f;--mark:#17181c;--focus:#0b57d0;
--c0:#f6c9a8;--c1:#f3d58a;--c2:#dfe08f;--c3:#bfe3b0;--c4:#b4dfe0;--c5:#c4d3f2;--c6:#dcc9ee;--c7:#f2c4d2;
--all:#e3e4e8;--up:#f5b8a8;--down:#b3cff5;--same:#e3e4e8}
@media (prefers-color-scheme:dark){.flame{--bg:#16181d;--fg:#f1f2f5;--dim:#a8adb8;--mark:#fff;--focus:#8ab4ff;
--c0:#7a4526;--c1:#6b5415;--c2:#565a1c;--c3:#32602a;--c4:#1f5a60;--c5:#33508c;--c6:#5b4384;--c7:#7b3a52;
--all:#3a3e48;--up:#87402f;--down:#2f558a;--same:#3a3e48}}
.flame{background:var(--bg);display:block}
.flame text{font:12px ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace;fill:var(--fg);pointer-events:none}
.flame .head{font-size:14px;font-weight:600}
.flame .dim{fill:var(--dim)}
.flame .f{cursor:pointer;outline:none}
.flame .f:hover rect,.flame .f:focus rect{stroke:var(--focus);stroke-width:2.5}
.flame .above{opacity:.65}
.flame.found .f:not(.match) rect{opacity:.35}
.flame .match rect{stroke:var(--mark);stroke-width:2}
.flame .match text{font-weight:700;text-decoration:underline}
.c0{fill:var(--c0)}.c1{fill:var(--c1)}.c2{fill:var(--c2)}.c3{fill:var(--c3)}
.c4{fill:var(--c4)}.c5{fill:var(--c5)}.c6{fill:var(--c6)}.c7{fill:var(--c7)}
.all{fill:var(--all)}.up{fill:var(--up)}.down{fill:var(--down)}.same{fill:var(--same)}
`;

/**
 * Script of the picture. Frames carry start, size and depth as `data-s`, `data-w` and `data-d`, their
 * label as `data-n`; they stand in the order of a depth-first walk, so what is under a frame follows it.
 */
export const FLAME_SCRIPT = String.raw`"use strict";
(() => {
  const svg = document.querySelector("svg.flame");
  const frames = Array.from(svg.querySelectorAll(".f"));
  const number = (name) => frames.map((frame) => Number(frame.getAttribute(name)));
  const starts = number("data-s"), sizes = number("data-w"), depths = number("data-d");
  const labels = frames.map((frame) => frame.getAttribute("data-n"));
  const rects = frames.map((frame) => frame.querySelector("rect"));
  const texts = frames.map((frame) => frame.querySelector("text"));
  const facts = frames.map((frame) => frame.querySelector("title").textContent);
  const picture = svg.querySelector(".status"), status = document.getElementById("facts") || picture;
  const foundText = svg.querySelector(".found-text");
  const field = document.getElementById("search"), count = document.getElementById("count");
  const margin = 8, character = 7.3, idle = picture.textContent;
  let zoom = 0, focused = 0, query = "", typing = false, matches = [];

  const fit = (text, width) => {
    const most = Math.floor((width - 8) / character);
    return text.length <= most ? text : most < 4 ? "" : text.slice(0, most - 1) + "…";
  };
  const room = () => Math.max(280, (svg.parentElement ? svg.parentElement.clientWidth : innerWidth));
  // In a page the line may wrap; in a picture it must fit.
  const show = (text) => {
    status.textContent = status === picture ? fit(text, room() - 2 * margin + 8) : text;
  };
  if (status !== picture) picture.textContent = "";

  function layout() {
    const width = room(), inner = width - 2 * margin, from = starts[zoom], scale = inner / (sizes[zoom] || 1);
    svg.setAttribute("width", width);
    svg.setAttribute("viewBox", "0 0 " + width + " " + svg.getAttribute("height"));
    foundText.setAttribute("x", width - margin);
    for (let n = 0; n < frames.length; n++) {
      const above = depths[n] < depths[zoom];
      const left = Math.max(0, (starts[n] - from) * scale);
      const right = Math.min(inner, (starts[n] + sizes[n] - from) * scale);
      const seen = right - left >= 0.3;
      frames[n].style.display = seen ? "" : "none";
      if (!seen) continue;
      frames[n].classList.toggle("above", above);
      const wide = Math.max(0.3, right - left - (right - left > 3 ? 1 : 0));
      rects[n].setAttribute("x", (margin + left).toFixed(2));
      rects[n].setAttribute("width", wide.toFixed(2));
      texts[n].setAttribute("x", (margin + left + 4).toFixed(2));
      texts[n].textContent = fit(labels[n], wide);
    }
  }

  function search(text) {
    query = text.toLowerCase();
    matches = [];
    let end = -1, sum = 0;
    for (let n = 0; n < frames.length; n++) {
      const hit = query !== "" && n > 0 && labels[n].toLowerCase().includes(query);
      frames[n].classList.toggle("match", hit);
      if (!hit) continue;
      matches.push(n);
      // What is under a match is part of it already.
      if (starts[n] >= end) { sum += sizes[n]; end = starts[n] + sizes[n]; }
    }
    svg.classList.toggle("found", query !== "");
    const part = sizes[0] ? (100 * sum / sizes[0]).toFixed(2) : "0.00";
    const text_ = query === "" ? "" : matches.length + " found, " + part + " %";
    foundText.textContent = typing ? "search: " + text + "_  " + text_ : field ? "" : text_;
    if (count) count.textContent = text_;
  }

  function go(n) {
    zoom = n;
    layout();
    show(n === 0 ? idle : facts[n]);
  }

  function focus(n) {
    frames[focused].setAttribute("tabindex", "-1");
    focused = n;
    frames[n].setAttribute("tabindex", "0");
    frames[n].focus();
    show(facts[n]);
  }

  const visible = (n) => frames[n].style.display !== "none";
  function step(from, forward, fits) {
    for (let n = from + forward; n >= 0 && n < frames.length; n += forward) {
      if (fits(n) && visible(n)) return n;
      if (depths[n] < depths[from] && forward > 0 && fits === below) return from;
    }
    return from;
  }
  const below = (n) => depths[n] === depths[focused] + 1;
  const beside = (n) => depths[n] === depths[focused];
  const over = (n) => depths[n] === depths[focused] - 1;

  function under() {
    const n = step(focused, 1, below);
    return n !== focused && starts[n] >= starts[focused] && starts[n] < starts[focused] + sizes[focused] ? n : focused;
  }

  function nextMatch(forward) {
    if (matches.length === 0) return;
    const at = matches.indexOf(focused);
    const next = at < 0 ? 0 : (at + forward + matches.length) % matches.length;
    if (!visible(matches[next])) go(0);
    focus(matches[next]);
  }

  function type(event) {
    if (event.key === "Escape") { typing = false; search(""); }
    else if (event.key === "Enter") { typing = false; search(query); nextMatch(1); }
    else if (event.key === "Backspace") search(query.slice(0, -1));
    else if (event.key.length === 1) search(query + event.key);
    else return;
    event.preventDefault();
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target === field) {
      if (event.key === "Enter") nextMatch(event.shiftKey ? -1 : 1);
      if (event.key === "Escape") { field.value = ""; search(""); frames[focused].focus(); }
      return;
    }
    if (typing) return type(event);
    const inside = event.target.closest && event.target.closest(".f") !== null;
    switch (event.key) {
      case "/": if (field) field.focus(); else { typing = true; search(""); } break;
      case "Escape": case "0": go(0); break;
      case "n": nextMatch(1); break;
      case "N": nextMatch(-1); break;
      case "Enter": case " ": if (!inside) return; go(focused); break;
      case "ArrowDown": if (!inside) return; focus(under()); break;
      case "ArrowUp": if (!inside) return; focus(step(focused, -1, over)); break;
      case "ArrowRight": if (!inside) return; focus(step(focused, 1, beside)); break;
      case "ArrowLeft": if (!inside) return; focus(step(focused, -1, beside)); break;
      default: return;
    }
    event.preventDefault();
  });
  frames.forEach((frame, n) => {
    frame.addEventListener("click", () => { focus(n); go(n); });
    frame.addEventListener("mouseenter", () => show(facts[n]));
    frame.addEventListener("mouseleave", () => show(zoom === 0 ? idle : facts[zoom]));
    frame.addEventListener("focus", () => { if (focused !== n) focus(n); });
  });
  if (field) field.addEventListener("input", () => search(field.value));
  const reset = document.getElementById("reset");
  if (reset) reset.addEventListener("click", () => go(0));
  addEventListener("resize", () => go(zoom));
  go(0);
})();
`;
