// @library marked.js
// Writes a Markdown document of 100 KB, lets marked render it, prints the HTML.
"use strict";

const WORDS = (
  "river|stone|harbour|light|rope|gull|salt|wave|north|shell|under|*over*|**keel**|`mast`|~~fog~~|***both***|" +
  "[quay](https://example.com/q?a=1&b=2 \"the quay\")|![buoy](buoy.png)|<tide@example.com>|a_b_c|2|&amp;|&lt;b&gt;|" +
  "caf\u00e9|\u6e2f|\ud83d\udea2|https://example.com/x|line\\_end|<span class=\"x\">raw</span>|__bell__|``a ` b``"
).split("|");

let state = 1;
function next(limit) {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return (state >>> 8) % limit;
}

const sentence = (least, most) => {
  const words = Array.from({ length: least + next(most - least) }, () => WORDS[next(WORDS.length)]);
  return words.join(" ") + ".";
};
const paragraph = () => Array.from({ length: 2 + next(4) }, () => sentence(5, 16)).join(next(5) ? "\n" : "  \n");
const list = (mark, depth) =>
  Array.from({ length: 2 + next(4) }, (_, i) => {
    const item = " ".repeat(depth * 4) + mark(i) + sentence(2, 7);
    return depth < 2 && next(4) === 0 ? item + "\n" + list(mark, depth + 1) : item;
  }).join("\n");

// One kind of block each; the document is a sequence of them.
const BLOCKS = [
  paragraph,
  paragraph,
  () => "#".repeat(1 + next(6)) + " " + sentence(2, 6),
  () => sentence(2, 5) + "\n" + (next(2) ? "=====" : "-----"),
  () => list(() => "- ", 0),
  () => list((i) => i + 1 + ". ", 0),
  () => list((i) => (i % 2 ? "- [x] " : "- [ ] "), 0),
  () => "```js\nconst x = a < b && c > \"" + next(100) + "\";\n\tindented();\n```",
  () => "    code by indent <" + next(10) + ">\n    & more",
  () => "> " + sentence(4, 9) + "\n> > " + sentence(3, 6) + "\n>\n> - " + sentence(2, 4),
  () => {
    const row = () => "| " + [0, 1, 2].map(() => sentence(1, 3).replace(/\|/g, "")).join(" | ") + " |";
    return "| left | middle | right |\n|:---|:---:|---:|\n" + Array.from({ length: 1 + next(4) }, row).join("\n");
  },
  () => "<div align=\"center\">\n\n" + sentence(3, 6) + "\n\n</div>",
  () => "* * *",
  () => "[ref" + next(9) + "]: https://example.com/" + next(1000) + " 'title'\n\nsee [the reference][ref" + next(9) + "]",
];

let document = "";
while (document.length < 100000) document += BLOCKS[next(BLOCKS.length)]() + "\n\n";

console.log("markdown: " + document.length);
// By default marked writes addresses with random entities.
console.log(marked.parse(document, { mangle: false, headerIds: true }));
