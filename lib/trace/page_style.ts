/**
 * The look that the pages share: colors for light and dark, type, tables. Text that goes into the
 * files; it loads nothing.
 *
 * @module
 */

import { escapeText } from "./page_text.ts";

/** Colors, type and tables. Text on its background has a contrast of 4.5 at least, in both schemes. */
export const PAGE_STYLE = `
:root{color-scheme:light dark;--bg:#fff;--panel:#f4f5f7;--fg:#17181c;--dim:#55585f;--line:#d5d7dd;--accent:#0b57d0;
--hit:#ffe08a;--hit-fg:#17181c;--mono:ui-monospace,"DejaVu Sans Mono",Menlo,Consolas,monospace}
@media (prefers-color-scheme:dark){:root{--bg:#16181d;--panel:#1f2228;--fg:#f1f2f5;--dim:#a8adb8;--line:#3a3e48;
--accent:#8ab4ff;--hit:#6b5415;--hit-fg:#fff}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--fg);font:14px/1.45 system-ui,-apple-system,"Segoe UI","DejaVu Sans",sans-serif}
main,header{padding:12px 16px}
h1{font-size:18px;margin:0 0 4px;overflow-wrap:anywhere}
h2{font-size:15px;margin:20px 0 6px}
p{margin:4px 0}
.dim{color:var(--dim)}
code,.mono{font-family:var(--mono);font-size:12px}
input,button{font:inherit;color:inherit;background:var(--bg);border:1px solid var(--dim);border-radius:4px;padding:4px 8px}
button{cursor:pointer}
:focus-visible{outline:2px solid var(--accent);outline-offset:1px}
.bar{display:flex;flex-wrap:wrap;gap:8px;align-items:center;margin:8px 0}
.bar input{flex:1 1 220px;min-width:0;max-width:420px}
.scroll{overflow-x:auto;border:1px solid var(--line);border-radius:4px}
table{border-collapse:collapse;width:100%;font-size:13px}
th,td{padding:3px 10px;text-align:left;vertical-align:top;white-space:nowrap}
th{background:var(--panel);font-weight:600;position:sticky;top:0}
tbody tr+tr td{border-top:1px solid var(--line)}
td.n,th.n{text-align:right}
td.n{font-family:var(--mono);font-size:12px}
td.name{font-family:var(--mono);font-size:12px;white-space:normal;overflow-wrap:anywhere;min-width:160px}
`;

/** What a page may load: nothing; style and script stand in it. */
export const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; " +
  "base-uri 'none'; form-action 'none'";

/** A page around its content. `title` must be escaped. */
export function pageHtml(title: string, style: string, body: string, script: string): string {
  return `<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n` +
    `<meta http-equiv="Content-Security-Policy" content="${escapeText(PAGE_POLICY)}">\n` +
    `<meta name="viewport" content="width=device-width, initial-scale=1">\n` +
    `<title>${title}</title>\n<style>${PAGE_STYLE}${style}</style>\n</head>\n<body>\n${body}` +
    `<script>\n${script}</script>\n</body>\n</html>\n`;
}

/** A cell of a table: text that is escaped already, as a number or as a name. */
export type Cell = readonly [kind: "n" | "name" | "", text: string];

/** A table; headings are escaped already. */
export function tableHtml(heads: readonly Cell[], rows: readonly (readonly Cell[])[]): string {
  const mark = (kind: string): string => kind === "" ? "" : ` class="${kind}"`;
  const head = heads.map(([kind, text]) => `<th scope="col"${mark(kind === "n" ? "n" : "")}>${text}</th>`);
  const body = rows.map((row) =>
    `<tr>${row.map(([kind, text]) => `<td${mark(kind)}>${text}</td>`).join("")}</tr>`
  );
  return `<div class="scroll"><table><thead><tr>${head.join("")}</tr></thead><tbody>\n${
    body.join("\n")
  }\n</tbody></table></div>\n`;
}
