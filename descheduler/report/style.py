"""The style sheet of the HTML page: light, dark and print. Text has a contrast of at least 4.5 to 1 (WCAG 2.2 AA)."""

from __future__ import annotations

from typing import Final

_LIGHT: Final = """
--page:#f5f6f8;--card:#fff;--ink:#171c26;--soft:#576070;--line:#e2e5ea;--track:#b9c0cb;
--bar:#7d8a9d;--more:#2f6fde;--good:#1f8a5b;--over:#c9352b;--over-ink:#b3261e;--good-ink:#17704a;--gone:#c3cad4;
--h0:#e9eef6;--h1:#cfdbec;--h2:#a9bedc;--h3:#7896c4;--h4:#45659c;--none:#d9d4cc;--warn:#fdf3f2;--warn-line:#e7b3ae;
"""
_DARK: Final = """
--page:#0f1217;--card:#171b22;--ink:#e7eaf0;--soft:#9ba5b5;--line:#2a303a;--track:#4a5261;
--bar:#69768a;--more:#6ea2ff;--good:#3fb37f;--over:#f0655b;--over-ink:#ff8f86;--good-ink:#5fd09c;--gone:#515b6a;
--h0:#212936;--h1:#2b3a52;--h2:#395277;--h3:#5076ad;--h4:#86aee6;--none:#4a453d;--warn:#2a1b1b;--warn-line:#6d3a37;
"""

_PAGE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",
Cantarell,"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main,header,footer{max-width:1160px;margin:0 auto;padding:0 24px}
header{padding-top:44px}
h1{font-size:30px;line-height:1.2;letter-spacing:-.018em;font-weight:650;margin:6px 0 8px;max-width:32em;text-wrap:balance}
h2{font-size:18px;line-height:1.3;letter-spacing:-.008em;font-weight:640;margin:0 0 4px}
h3{font-size:15px;font-weight:620;margin:24px 0 6px}
p{margin:0 0 8px;max-width:76ch}
.eyebrow{color:var(--soft);font-size:13px;font-weight:560;margin:0;max-width:none}
.lead{color:var(--soft);font-size:17px;margin-bottom:24px;max-width:96ch}
.narrow table{width:auto}.narrow th,.narrow td{padding-right:40px}
.soft,caption{color:var(--soft)}
section{background:var(--card);border:1px solid var(--line);border-radius:12px;padding:24px 28px 26px;margin:0 0 20px}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(200px,1fr));gap:0;margin:0 0 20px;padding:0;overflow:hidden;
background:var(--card);border:1px solid var(--line);border-radius:12px}
.tiles>div{padding:18px 28px 18px;box-shadow:-1px 0 var(--line),0 -1px var(--line)}
dt{color:var(--soft);font-size:13px;font-weight:540}
dd{margin:0}
.tiles dd{font-size:25px;font-weight:620;letter-spacing:-.018em;line-height:1.35;white-space:nowrap}
.tiles .sub{font-size:13px;font-weight:400;letter-spacing:0;color:var(--soft);white-space:normal}
.bad{color:var(--over-ink)}.well{color:var(--good-ink)}
.warn{background:var(--warn);border-color:var(--warn-line)}
.scroll{overflow-x:auto;margin:0 -28px;padding:0 28px}
table{border-collapse:collapse;width:100%;font-size:14px;margin-top:12px}
caption{text-align:left;font-size:13px;padding:0 0 6px}
th,td{text-align:left;vertical-align:top;padding:8px 18px 8px 0;border-bottom:1px solid var(--line);overflow-wrap:anywhere}
th:last-child,td:last-child{padding-right:0}
thead th{color:var(--soft);font-weight:540;font-size:13px;white-space:nowrap;border-bottom-color:var(--track)}
tbody th{font-weight:560}
tbody tr:last-child>*{border-bottom:0}
.num{text-align:right;white-space:nowrap}
.why{color:var(--soft);min-width:300px}
.one{white-space:nowrap}
.helps{display:block;margin-top:4px;color:var(--ink)}
.to{display:block}
.ns{display:block;color:var(--soft);font-weight:400;font-size:13px}
code{font:500 12.5px/1.4 ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;color:var(--soft);
white-space:nowrap}
details{border-top:1px solid var(--line);margin:0}
section>details:last-child{margin-bottom:-12px}
summary{cursor:pointer;padding:12px 0;list-style-position:outside;margin-left:18px;padding-left:4px}
summary:focus-visible{outline:2px solid var(--more);outline-offset:2px;border-radius:4px}
summary b{font-weight:620}
details[open]>summary{padding-bottom:2px}
details>:not(summary){margin-left:22px}
details table{width:calc(100% - 22px);margin-bottom:14px}
ul{margin:10px 0 0;padding-left:20px}li{margin:0 0 6px;max-width:80ch}
footer{color:var(--soft);font-size:13px;padding-bottom:48px}
"""

_PICTURES: Final = """
svg{display:block;width:100%;min-width:820px;height:auto;margin-top:18px;font-size:12.5px}
text{fill:var(--ink)}
.v,.s,.t,.same text{fill:var(--soft)}
.h{font-weight:620;font-size:14px}
.g{font-weight:600;fill:var(--soft);font-size:12.5px}
.t{text-anchor:end;font-weight:560}.e,.oe{text-anchor:end}.e{fill:var(--soft)}.n{font-weight:520}.n.e{fill:var(--ink)}
.same .n{font-weight:400}
.ov,.oe{fill:var(--over-ink);font-weight:640}
.bar{fill:var(--bar)}.over{fill:var(--over)}.good{fill:var(--good)}.more{fill:var(--more)}
.gone{fill:none;stroke:var(--gone);stroke-width:1;stroke-dasharray:2 2}
.same .bar{opacity:.55}
.rule,.axis{stroke:var(--line);fill:none}
.high{stroke:var(--ink);fill:none}
.target{stroke:var(--ink);fill:none;stroke-dasharray:3 3}
.c{fill:none;stroke-width:1}
.h0{stroke:var(--h0)}.h1{stroke:var(--h1)}.h2{stroke:var(--h2)}.h3{stroke:var(--h3)}.h4{stroke:var(--h4)}
.c.over{stroke:var(--over)}.none{stroke:var(--none)}
.mesh{stroke:var(--card);stroke-width:.14;fill:none}
.dot{stroke:var(--card);stroke-width:.34;stroke-linecap:round;fill:none}
.ribbon{fill:none;stroke:var(--more);stroke-opacity:.26}
g:hover>.ribbon{stroke-opacity:.6}
.src{fill:var(--over)}.dst{fill:var(--more)}
.w{font-size:12px;paint-order:stroke;stroke:var(--card);stroke-width:3px;stroke-linejoin:round}
.m{text-anchor:middle}.b{font-weight:600}
.link{stroke:var(--track);stroke-width:2;fill:none}
.ring,.hole,.spot{stroke-linecap:round;fill:none}
.ring{stroke:var(--bar);stroke-width:12}.hole{stroke:var(--card);stroke-width:7}
.spot{stroke:var(--good);stroke-width:12}
.ring.over,.spot.over{stroke:var(--over)}
.aim{stroke:var(--more);stroke-width:2.5;fill:none}
.legend{display:flex;flex-wrap:wrap;gap:4px 22px;margin:14px 0 0;padding:0;list-style:none;font-size:13px;color:var(--soft)}
.legend li{margin:0;display:flex;align-items:center;gap:7px}
.legend svg{display:inline-block;width:22px;min-width:0;height:12px;margin:0}
"""

_PRINT: Final = """
@media (max-width:640px){main,header,footer{padding-left:14px;padding-right:14px}section{padding:18px 16px}
.scroll{margin:0 -16px;padding:0 16px}h1{font-size:25px}header{padding-top:24px}.tiles>div{padding:14px 16px}}
@media print{body{background:#fff;font-size:12px}section,.tiles{border-color:#ccc}main,header,footer{max-width:none;padding:0}
tr,svg,.tiles{break-inside:avoid}thead{display:table-header-group}svg{min-width:0}.scroll{overflow:visible}
*{print-color-adjust:exact;-webkit-print-color-adjust:exact}details::details-content{content-visibility:visible;height:auto}}
"""

CSS: Final = (
    f":root{{color-scheme:light dark;{_LIGHT}}}@media screen and (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    f"{_PAGE}{_PICTURES}{_PRINT}"
).replace("\n", "")
"""The whole style sheet."""
