// @library terser.js
// @library acorn.js
// @text BIG big.js
// @text ACORN acorn.js
// Two compilers at work: acorn parses its own source, then terser minifies big.js, and the minified
// library has to compute the same digits as the original. Prints what they made.
"use strict";

// Every node of the tree by its type, and one number that depends on all of them and their places.
function census(tree) {
  const counts = new Map();
  let hash = 0;
  const visit = (node) => {
    counts.set(node.type, (counts.get(node.type) ?? 0) + 1);
    hash = (Math.imul(hash, 31) + node.start * 7 + node.end) | 0;
    for (const key of Object.keys(node)) {
      const child = node[key];
      if (Array.isArray(child)) child.forEach((item) => item?.type && visit(item));
      else if (child?.type) visit(child);
    }
  };
  visit(tree);
  const sorted = [...counts].sort(([a], [b]) => (a < b ? -1 : 1));
  return sorted.map(([type, count]) => type + " " + count).join("\n") + "\nhash " + hash;
}

console.log(census(acorn.parse(ACORN, { ecmaVersion: 2022 })));

const minified = Terser.minify_sync(BIG, { compress: { passes: 2 }, mangle: true }).code;
console.log(minified);

// The library out of its source text.
const load = (source) => {
  const scope = {};
  new Function("exports", "module", "define", source).call(scope);
  return scope.Big;
};
const digits = (Big) => {
  Big.DP = 60;
  const root = new Big(2).sqrt(), third = new Big(1).div(3);
  return [root, third, root.times(third).pow(9), new Big("1e-30").plus("123456789.987654321")].map(String).join(" ");
};
console.log(digits(load(BIG)));
console.log(digits(load(minified)));
