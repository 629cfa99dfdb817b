/* The style sheet of all pages. */
#include "runner/page/html.h"

/*
 * Blue and vermilion (orange in the dark) are the pair of Okabe and Ito's palette that every kind
 * of colour vision tells apart (https://jfly.uni-koeln.de/color); lines differ in their dashes too,
 * and v0 to v9 rise in lightness, so that grey paper shows the same.
 */
const char dv_html_style[] =
    ":root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--paper:#fff;--line:#d0d7de;"
    "--card:#f6f8fa;--blue:#0a5a9c;--red:#c04e00;--on:#fff}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--ink:#e6edf3;--soft:#9da7b3;"
    "--paper:#0d1117;--line:#333b45;--card:#161b22;--blue:#56b4e9;--red:#f0922b;--on:#0d1117}}\n"
    "body{margin:0 auto;max-width:1040px;padding:24px;background:var(--paper);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}\n"
    "h1{font-size:26px;margin:0 0 12px}h2{font-size:19px;margin:32px 0 10px}\n"
    "dl{display:grid;grid-template-columns:max-content minmax(0,1fr);gap:2px 18px;margin:0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;white-space:pre-wrap}\n"
    ".accuracy{font-size:44px;font-weight:600;line-height:1.2;margin:0}p{margin:0 0 10px}\n"
    "code,pre,.file{font-family:ui-monospace,monospace;font-size:13px;overflow-wrap:anywhere}\n"
    "pre{background:var(--card);padding:12px;white-space:pre-wrap}\n"
    "summary{cursor:pointer}\n"
    ".charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,400px),1fr));"
    "gap:18px}\n"
    "svg{display:block;max-width:100%;height:auto;font-size:12px}.charts svg{width:100%}\n"
    "svg text{fill:var(--ink)}\n"
    "svg .axis text,svg .side{fill:var(--soft)}.head{font-size:15px;font-weight:600}\n"
    ".grid,.tick{stroke:var(--line);fill:none}.frame{fill:none;stroke:var(--soft)}\n"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}\n"
    ".train{stroke:var(--blue)}.validation{stroke:var(--red);stroke-dasharray:6 3}\n"
    "circle.train{fill:var(--blue)}circle.validation{fill:var(--red)}\n"
    ".right{fill:var(--blue)}.wrong{fill:var(--red)}\n"
    "svg .strong{fill:var(--on);font-weight:600}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:3px 18px 3px 0;text-align:right;border-bottom:1px solid var(--line)}\n"
    "th:first-child{text-align:left;font-weight:400;overflow-wrap:anywhere}"
    "thead th{color:var(--soft);font-weight:400}\n"
    ".sounds{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:18px}\n"
    "figure{margin:0}figcaption{margin-top:4px;font-size:14px;overflow-wrap:anywhere}\n"
    ".sound{width:100%;height:120px}.sound path{fill:none}\n"
    ".v0{fill:#0b0d2a}.v1{stroke:#1d1560}.v2{stroke:#3b1f83}.v3{stroke:#5d2a8c}"
    ".v4{stroke:#823386}.v5{stroke:#a63f77}.v6{stroke:#c95463}.v7{stroke:#e47651}"
    ".v8{stroke:#f4a34d}.v9{stroke:#fbdc82}\n"
    "@media print{:root{color-scheme:light}h2{break-after:avoid}svg,figure,tr{break-inside:avoid}"
    "body{padding:0}.charts{grid-template-columns:1fr 1fr}"
    ".sounds{grid-template-columns:1fr 1fr 1fr}}\n";
