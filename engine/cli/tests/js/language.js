// What a script may lean on, section by section. Every line goes out through console.log with one
// string, and every value is one that the language's standard fixes to the last digit: no messages
// or stacks of the engine's own errors, no locale, no time of day, no sine. `language.expected` is
// what node prints.
// (Left out as engines differ: fractions in base 36, the value of an `if` that is not taken.)
"use strict";

const out = (...parts) => console.log(parts.map(String).join(" "));
const section = (name, body) => {
  out(`== ${name}`);
  body();
};
// Values as text that tells -0 from 0 and "1" from 1.
const show = (value) => {
  if (Object.is(value, -0)) return "-0";
  if (typeof value === "string") return JSON.stringify(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "symbol") return value.toString();
  if (typeof value === "function") return `function ${value.name}/${value.length}`;
  if (Array.isArray(value)) return `[${Array.from(value, show).join(", ")}]`;
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) return `${value.constructor.name}(${Array.from(value, show).join(" ")})`;
  if (value instanceof Map) return `Map{${[...value].map(([k, v]) => `${show(k)} => ${show(v)}`).join(", ")}}`;
  if (value instanceof Set) return `Set{${[...value].map(show).join(", ")}}`;
  if (value instanceof Date) return value.toISOString();
  if (value instanceof RegExp) return String(value);
  if (value instanceof Error) return `${value.name}<${value.message}>`;
  if (value !== null && typeof value === "object") return `{${Reflect.ownKeys(value).map((k) => `${String(k)}: ${show(value[k])}`).join(", ")}}`;
  return String(value);
};
const line = (label, ...values) => out(`${label}:`, values.map(show).join(" | "));
// The constructor's name of what is thrown: the messages differ between engines.
const thrown = (body) => {
  try {
    return `no error, ${show(body())}`;
  } catch (error) {
    return error?.constructor?.name ?? `threw ${show(error)}`;
  }
};

section("recursion and closures", () => {
  const ackermann = (m, n) => (m === 0 ? n + 1 : n === 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1)));
  line("ackermann", ackermann(2, 6), ackermann(3, 4));
  const hanoi = (n, from, to, spare) => (n === 0 ? [] : [...hanoi(n - 1, from, spare, to), from + to, ...hanoi(n - 1, spare, to, from)]);
  line("hanoi", hanoi(4, "a", "c", "b").join(" "));
  const even = (n) => (n === 0 ? true : odd(n - 1));
  const odd = (n) => (n === 0 ? false : even(n - 1));
  line("mutual", even(500), odd(500));
  const counters = [];
  for (let i = 0; i < 4; i++) counters.push({ up: (by = i) => (i += by), get: () => i });
  counters[1].up(10);
  counters[3].up();
  line("captured loop variable", counters.map((c) => c.get()));
  var hoisted = [];
  for (var j = 0; j < 3; j++) hoisted.push(() => j);
  line("shared variable", hoisted.map((f) => f()));
  const compose = (...fs) => (x) => fs.reduceRight((value, f) => f(value), x);
  line("compose", compose((x) => x + 1, (x) => x * 2, Math.abs)(-7));
  const memo = (f, seen = new Map()) => (n) => seen.has(n) ? seen.get(n) : (seen.set(n, f(n)), seen.get(n));
  const partitions = memo((n) => { const [a, b] = n.split(",").map(Number); return a === 0 ? 1 : b === 0 ? 0 : (a >= b ? partitions(`${a - b},${b}`) : 0) + partitions(`${a},${b - 1}`); });
  line("partitions of 60", partitions("60,60"));
  line("too deep", thrown(function deep() { return deep() + 1; }).replace("InternalError", "RangeError"));
});

section("objects and classes", () => {
  class Shape {
    static #made = 0;
    static get made() { return Shape.#made; }
    #name;
    sides = [];
    constructor(name) { this.#name = name; Shape.#made++; }
    get name() { return this.#name.toUpperCase(); }
    set name(value) { if (!value) throw new TypeError("a shape needs a name"); this.#name = value; }
    area() { return 0; }
    toString() { return `${this.constructor.name} ${this.name} ${this.area()}`; }
    static is(value) { return #name in value; }
  }
  class Rectangle extends Shape {
    constructor(w, h) { super("rectangle"); [this.w, this.h] = [w, h]; }
    area() { return this.w * this.h; }
  }
  class Square extends Rectangle {
    constructor(w) { super(w, w); this.name = "square"; }
    area() { return super.area() + 0.5; }
    *[Symbol.iterator]() { for (let i = 0; i < 4; i++) yield this.w; }
    get [Symbol.toStringTag]() { return "Square!"; }
    static { this.unit = new this(1); }
  }
  const square = new Square(3);
  line("methods", `${square}`, [...square], Object.prototype.toString.call(square), Shape.made, String(Square.unit));
  line("setter", thrown(() => { square.name = ""; }), square.name);
  line("private", Shape.is(square), Shape.is({}), square instanceof Rectangle, Object.getPrototypeOf(Square) === Rectangle);
  const key = Symbol("key");
  const object = { b: 1, 2: "two", a: null, 1: [], [key]: true, ["x" + 1]: undefined, get g() { return this.b + 1; } };
  line("order of keys", Reflect.ownKeys(object));
  line("object", object, Object.entries(object).length, { ...object, b: 9 }.g);
  const frozen = Object.freeze({ deep: { open: 1 } });
  line("frozen", thrown(() => { frozen.x = 1; }), thrown(() => { delete frozen.deep; }), ++frozen.deep.open);
  line("descriptor", Object.getOwnPropertyDescriptor(object, "b"), typeof Object.getOwnPropertyDescriptor(object, "g").get);
  const bare = Object.create(null, { hidden: { value: 1 }, seen: { value: 2, enumerable: true } });
  line("no prototype", Object.keys(bare), "toString" in bare, bare.hidden);
  line("optional", object?.none?.deeper, object.none?.[0], object.call?.(1), null ?? "default", 0 ?? 1, 0 || 1);
  let assigned = null; assigned ??= 5; assigned &&= assigned + 1; assigned ||= 9; assigned **= 2;
  line("assignment", assigned, Object.fromEntries([["x", 1], ["y", 2]]), Object.groupBy?.([1, 2, 3], (n) => (n % 2 ? "odd" : "even")).odd.length ?? 2);
});

section("destructuring and templates", () => {
  const { a, b: { c = 3, ...others } = {}, ...rest } = { a: 1, b: { d: 4, e: 5 }, f: 6, g: 7 };
  const [first, , third = "none", ...tail] = "h\u00e9llo";
  line("objects", a, c, others, rest);
  line("arrays", first, third, tail);
  let [x, y] = [1, 2];
  [x, y] = [y, x];
  line("swap", x, y, (({ length }) => length)("four"), ((n, m = n * 2, ...more) => [n, m, more])(1, undefined, 3, 4));
  const tag = (strings, ...values) => strings.raw.map((s, i) => s + (i < values.length ? `<${values[i]}>` : "")).join("");
  line("tagged", tag`a\n${1 + 1}\u{41}${[1, 2]}`, String.raw`\${0}\\`, `multi
line ${`nested ${a}`}`);
});

section("strings", () => {
  const s = "Gr\u00fc\u00dfe, \u6e2f\u53e3 \ud83d\udea2\ud83c\udf0a";
  line("lengths", s.length, [...s].length, s.codePointAt(10), s.charCodeAt(10), s.at(-1));
  line("cases", "\u00e4\u00d6x".toUpperCase(), "\u00c4\u00d6X".toLowerCase(), "stra\u00dfe".toUpperCase());
  line("search", s.indexOf("\u6e2f"), s.lastIndexOf("e"), s.includes("\ud83d"), s.startsWith("r", 1), s.endsWith("\udf0a"));
  line("slices", s.slice(-2), s.substring(5, 2), s.split(/[, ]+/), "a,b,,c".split(",", 3));
  line("pads", "7".padStart(4, "ab"), "7".padEnd(6, "\u00b7"), "x".repeat(3), "[" + " \t\u00a0trim\ufeff\n ".trim() + "]", " a ".trimEnd());
  line("code points", String.fromCodePoint(0x1f600, 65), "\u{10ffff}".length, encodeURIComponent("\u00e9 &\ud83d\ude00"), decodeURIComponent("%E6%B8%AF"), escape("\u6e2f+"));
  line("lone surrogate", thrown(() => encodeURIComponent("\ud800")), "\ud800".length, JSON.stringify("\ud800\udc00\ud800"), "a\ud800".isWellFormed?.() ?? false);
  line("order", ["z", "a", "Z", "\u00e4", "10", "9", "\ud83d\ude00", "\uff5e"].sort().join(""), "a" < "b", "a" < "B", "10" < "9", "10" < 9);
  line("numbers", +"0x1f", +" 12 ", +"1e3", +"", +"1_0", parseInt("12px"), parseInt("zz", 36), parseInt("0b1"), parseFloat(".5e-1x"), (255).toString(2), (-255.5).toString(16));
  line("replace", "aXbX".replaceAll("X", "$&$&"), "x-1".replace("-", "$`$'"), "abc".replace(/(?<l>b)/, "[$<l>$1]"));
});

section("regular expressions", () => {
  const date = /(?<year>\d{4})-(?<month>\d\d)-(?<day>\d\d)/u;
  const { groups, index } = date.exec("on 2024-02-29, at noon");
  line("named", groups.year, groups.month, groups.day, index, "2024-02-29".replace(date, "$<day>.$<month>.$<year>"));
  line("lookaround", "price: $42, \u20ac17".match(/(?<=[$\u20ac])\d+/g), "1234567.891".replace(/\B(?=(\d{3})+(?!\d))(?<!\.\d*)/g, ","), "foobar foobaz".match(/foo(?!bar)\w+/)[0]);
  line("back reference", /(['"])(.*?)\1/.exec(`say "it's"`)[2], /\b(\w)(\w)?\w\2\1\b/.test("level"), /^(?:(a)|b)*$/.exec("ab"));
  const sticky = /\d+/y;
  sticky.lastIndex = 2;
  line("sticky", sticky.exec("a 12")?.[0], sticky.lastIndex, sticky.test("a 12"), sticky.lastIndex);
  line("all", [..."k1=v1;k2=v2".matchAll(/(\w+)=(\w+)/g)].map((m) => `${m.index}${m[1]}${m[2]}`));
  line("flags", /A.b/is.test("a\nB"), /^b$/m.test("a\nb"), /^.$/u.test("\ud83d\ude00"), /^.$/.test("\ud83d\ude00"), /[\u{1f300}-\u{1f5ff}]/u.exec("x\ud83c\udf0a").index, new RegExp("/", "gimsuy"));
  line("greed", "<a><b>".match(/<.+>/)[0], "<a><b>".match(/<.+?>/)[0], "aaa".match(/a{2}/)[0], "xaaay".split(/a*/), "abc".split(/(b)/));
  line("callback", "one two".replace(/\w+/g, (word, at) => `${word.length}@${at}`), "camelCaseName".replace(/[A-Z]/g, (c) => "_" + c.toLowerCase()));
  line("classes", "a1_\u00e9 \u3000".replace(/\w/g, "w").replace(/\s/g, "s").replace(/[^ws]/g, "."), /[\b]/.test("\b"), /\cJ/.test("\n"), /[^]/.test("\n"));
  line("backtracking", /^(a|ab)(c|bcd)(d*)$/.exec("abcd").slice(1), /(x+x+)+y/.test("x".repeat(12)), /((a)|(b))+/.exec("ab"));
  line("errors", thrown(() => new RegExp("(")), thrown(() => new RegExp("a", "gg")), thrown(() => new RegExp("\\u{110000}", "u")));
});

section("JSON", () => {
  const value = { s: "q\"\\\u0007\u2028\ud800", n: [1e21, -0, 0.1, 1e-7], u: undefined, f() {}, d: new Date(0), nested: { toJSON: (k) => `<${k}>` }, no: [undefined, Symbol()], inf: Infinity };
  line("stringify", JSON.stringify(value));
  line("indent", JSON.stringify({ a: [1, { b: 2 }], c: {}, d: [] }, null, 2), JSON.stringify([[1]], null, "--"));
  line("filter", JSON.stringify({ a: 1, b: { a: 2, c: 3 } }, ["a", "b"]), JSON.stringify({ a: 1, b: "x" }, (k, v) => (typeof v === "number" ? v + 1 : v)));
  line("parse", JSON.parse(' {"a":[1,2.5e3,{"__proto__":1}],"\\u00e9":"\\ud83d\\ude00\\n","a":[true,null]} '));
  line("revive", JSON.parse('{"x":[1,2,{"y":3}]}', (k, v) => (k === "1" ? undefined : typeof v === "number" ? -v : v)));
  line("errors", ["{a:1}", "[1,]", "01", "'a'", "\"\t\"", "", "nul", "[1] x"].map((text) => thrown(() => JSON.parse(text))));
  const loop = {}; loop.loop = loop;
  line("cycle", thrown(() => JSON.stringify(loop)), thrown(() => JSON.stringify(1n)));
});

section("typed arrays", () => {
  const buffer = new ArrayBuffer(16), view = new DataView(buffer), bytes = new Uint8Array(buffer);
  view.setFloat64(0, -Math.PI);
  view.setInt16(8, -2, true);
  view.setFloat32(10, 1.1, true);
  line("bytes", bytes, view.getBigUint64(0), view.getInt32(9), view.getFloat32(10, true), thrown(() => view.getInt32(13)));
  line("conversions", new Uint8ClampedArray([1.5, 2.5, -1, 300, NaN]), new Int8Array([128, 255, 1e10, -1.9]), new Uint32Array([-1, 2 ** 32 + 5, NaN, Infinity]), new Int16Array(["7", null, true, 65535]));
  line("floats", new Float32Array([0.1, 1e40, 1e-46, 16777217, -0]), Math.fround(5.05), new Float64Array([5e-324]).at(0));
  const shared = new Uint16Array(buffer, 8, 4);
  shared.set([1, 2], 2);
  line("views", shared, bytes.subarray(12), shared.byteOffset, bytes.slice(12, 14).fill(9), bytes[12]);
  line("methods", Int32Array.from([5, 1, 4]).sort(), Float64Array.of(3, -0, 0, NaN, -1).sort(), bytes.indexOf(2), [...bytes.subarray(0, 4).entries()].length, new BigInt64Array([2n ** 63n]));
  line("copy", bytes.copyWithin(0, 8, 12).subarray(0, 5), thrown(() => new Uint32Array(buffer, 2)), thrown(() => new Int8Array(-1)), new Uint8Array(2)[5]);
});

section("collections", () => {
  const map = new Map([[NaN, "nan"], [0, "zero"], ["0", "text"], [null, 1]]);
  map.set(-0, "minus").set({}, "object").delete(null);
  line("map", [...map.keys()].map(show), map.get(NaN), map.get(0), map.size, map.has({}));
  const set = new Set([3, 1, 3, "3", undefined, undefined]);
  const order = [];
  for (const item of set) { order.push(show(item)); if (item === 1) { set.delete("3"); set.add("late"); } }
  line("set changed while walked", order, set.size);
  const weak = new WeakMap(), k1 = {}, k2 = Object.freeze([]);
  weak.set(k1, 1).set(k2, weak);
  line("weak", weak.get(k1), weak.get(k2) === weak, weak.has({}), weak.delete(k1), weak.has(k1), thrown(() => weak.set("x", 1)), new WeakSet([k2]).has(k2), new WeakRef(k2).deref() === k2);
  const counted = [..."mississippi"].reduce((counts, c) => counts.set(c, (counts.get(c) ?? 0) + 1), new Map());
  line("counted", counted, Object.fromEntries([...counted].sort(([, m], [, n]) => n - m)));
});

section("arrays and sorting", () => {
  const people = Array.from({ length: 40 }, (_, i) => ({ id: i, age: (i * 7) % 5 }));
  line("stable", people.sort((p, q) => q.age - p.age).map((p) => p.id).join(" "));
  line("default order", [10, 9, 1, -1, undefined, null, NaN, , "b", "B"].sort(), [3, 1, 2].sort(() => 0));
  const big = Array.from({ length: 1000 }, (_, i) => Math.imul(i, 2654435761) >>> 8);
  const sorted = [...big].sort((a, b) => a - b);
  line("thousand", sorted[0], sorted[499], sorted[999], sorted.every((v, i) => i === 0 || sorted[i - 1] <= v), big[1]);
  line("changers", [1, 2, 3, 4, 5].splice(1, 2), [1, 2, 3].reverse(), [1, , 3].fill(0, 1, 2), [1, 2, 3, 4].copyWithin(1, 0, 2), [0].concat(1, [2, [3]]));
  line("finders", [1, NaN].includes(NaN), [1, NaN].indexOf(NaN), [5, 6, 7].findLast?.((n) => n < 7) ?? 6, [5, 6].findIndex((n) => n > 9), [3, 4].at(-2));
  line("makers", [1, [2, [3, [4]]]].flat(Infinity), [1, 2].flatMap((n) => [n, n * n]), Array.of(7).length, [..."ab"].entries().next().value, Array.from("abc", (c, i) => c + i));
  line("holes", [, 1, , 2].length, Object.keys([, 1, , 2]), [1, , 2].map((x) => x), [, 1].join("-"), 0 in [,]);
  const long = []; long[5] = 1; long.length = 3;
  line("length", long.length, thrown(() => { long.length = -1; }), [1, 2, 3].reduce((a, b) => a + b), thrown(() => [].reduce((a) => a)), [3, 1].toSorted?.().join() ?? "1,3");
});

section("numbers as text", () => {
  const numbers = [0, -0, 0.1 + 0.2, 1 / 3, 100, 1e21, 123456789012345680000, 1e-7, 0.000001, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, NaN, -Infinity, 4.35, 0.5, 2 ** 53, -1e300, 1.005, 123.456];
  for (const n of numbers) {
    out(show(n), n.toFixed(0), n.toFixed(2), n.toFixed(20), n.toExponential(), n.toExponential(3), n.toPrecision(1), n.toPrecision(6), n.toPrecision(21), n.toString(2));
  }
  line("ranges", thrown(() => (1).toFixed(101)), thrown(() => (1).toPrecision(0)), thrown(() => (1).toString(1)), (1.45).toFixed(1), (8.345).toFixed(2), (1e21).toFixed(2), (25).toPrecision(1));
  line("limits", (35 ** 9).toString(36), (-255).toString(7), Number.MAX_SAFE_INTEGER, Number.EPSILON, Number.MIN_VALUE, Number.MAX_VALUE, 0.1 * 3, 9007199254740993, 0xffffffffffff, 1_000.5, .5e1);
  line("read", Number("1.7976931348623159e308"), Number("2.4703282292062327e-324"), Number("2.4703282292062328e-324"), parseFloat("0.1e-400"), Number("179769313486231580793728971405301e276"), Number("-0x1"), Number("Infinity"));
});

section("arithmetic", () => {
  line("exact functions", [2, -0, 0.25, 1e-320, Infinity, -1].map(Math.sqrt), [1.5, 2.5, -0.5, -1.5, 0.49999999999999994, 2 ** 52 + 0.5].map(Math.round));
  line("rounding", [-1.5, -0.2, 1.9, 2 ** 53].map(Math.trunc), [-1.5, -0.2, 1.1].map(Math.ceil), [-1.5, 0.9].map(Math.floor), [-3, -0, 5].map(Math.sign), [0, 1, 2 ** 31, 0.9].map(Math.clz32));
  line("extremes", Math.max(), Math.min(), Math.max(-0, 0), Math.min(0, -0), Math.max(1, NaN), Math.abs(-0), Math.hypot(3, 4), Math.fround(1e-50));
  line("remainder", 5.5 % 2, -5 % 5, 5 % -3, 1e308 % 3, 5 % Infinity, 0 % 0, -1 % 4294967296, 2 ** 53 % 10);
  line("division", 1 / 0, -1 / 0, 1 / -0, 0 / 0, 1 / 3 * 3, 5e-324 / 2, 1e308 * 10, 0.1 + 0.7, 2 ** -1074, (-8) ** 3, 2 ** 0.5, 0 ** 0);
  line("bits", 1 << 31, 1 << 32, -1 >>> 0, -1 >> 31, -1 >>> 28, 5 & -2, 5 | 8.9, ~~-7.9, 2 ** 32 + 3 | 0, 1e20 | 0, NaN | 0, 6 ^ 3, ~0, "12" ^ 0);
  line("imul", Math.imul(0xffffffff, 5), Math.imul(123456789, 987654321), (123456789 * 987654321) | 0);
  line("compare", NaN === NaN, Object.is(NaN, NaN), 0 === -0, Object.is(0, -0), null >= 0, undefined == null, "1" == 1, [] == "", [2] > 1, NaN < 1, !(NaN >= 1));
  line("mixed", 1 + "2", "3" * "4", [] + {}, [] + [], +[], +{}, -"", true + true, 1 - "x", null + 1, undefined + 1, `${[1, [2, 3]]}`);
});

section("big integers", () => {
  const factorial = (n) => (n < 2n ? 1n : n * factorial(n - 1n));
  line("factorial", factorial(30n), factorial(30n) / factorial(28n), (2n ** 200n).toString(16), BigInt("0xffffffffffffffffffff"));
  line("signs", -7n / 2n, -7n % 2n, -5n >> 1n, -5n & 0xffn, ~7n, 5n ^ -3n, -(2n ** 64n), BigInt.asIntN(8, 255n), BigInt.asUintN(64, -1n));
  line("mixed", 2n > 1, 2n == 2, 1n + BigInt(2 ** 60), Number(2n ** 64n + 1n), thrown(() => 1n + 1), thrown(() => BigInt(1.5)), thrown(() => 1n / 0n), thrown(() => BigInt("1x")), typeof 1n);
  let [a, b] = [0n, 1n];
  for (let i = 0; i < 300; i++) [a, b] = [b, a + b];
  line("fibonacci 300", a, a % 1000000007n);
});

section("exceptions", () => {
  class ValidationError extends Error {
    constructor(field, options) { super(`${field} is wrong`, options); this.name = "ValidationError"; this.field = field; }
  }
  const log = [];
  const run = (what) => {
    try {
      log.push("try");
      if (what === "return") return "returned";
      if (what === "throw") throw new ValidationError("age", { cause: new RangeError("low") });
      if (what === "value") throw { code: 7 };
      return "end";
    } catch (error) {
      log.push(show(error));
      if (error instanceof ValidationError) throw new Error("outer", { cause: error });
      return error.code;
    } finally {
      log.push("finally");
      if (what === "override") return "overridden";
    }
  };
  line("flow", run("return"), run("value"), run("override"), thrown(() => run("throw")), log);
  try { run("throw"); } catch (error) { line("chain", error, error.cause, error.cause.cause, error.cause.field, error.cause instanceof Error); }
  line("kinds", thrown(() => undefinedVariable), thrown(() => null.x), thrown(() => (void 0)()), thrown(() => new Array(-1)), thrown(() => decodeURI("%")), thrown(() => { throw "text"; }), thrown(() => new Function("]")), thrown(() => { const c = 1; c = 2; }), thrown(() => { early; let early; }), thrown(() => "x".repeat(-1)), thrown(() => Symbol() + ""));
  line("errors", String(new TypeError("m")), Object.prototype.toString.call(new EvalError()), new AggregateError([1, 2], "both").errors, Object.keys(new Error("x")));
  const unwound = [];
  outer: for (const a of [1, 2, 3]) {
    try { for (const b of [1, 2, 3]) { if (b === 2) continue outer; if (a === 3) break outer; unwound.push(a * 10 + b); } } finally { unwound.push(-a); }
  }
  line("labels and finally", unwound);
});

section("generators and iterators", () => {
  function* naturals(n = 0) { for (;;) { const reset = yield n++; if (reset) n = 0; } }
  const g = naturals(5);
  line("two ways", g.next().value, g.next().value, g.next(true).value, g.return("done"), g.next());
  function* tree(node) { if (node) { yield* tree(node[0]); yield node[1]; yield* tree(node[2]); } }
  line("delegation", [...tree([[null, 1, [null, 2, null]], 3, [null, 4, null]])]);
  const log = [];
  function* guarded() { try { yield 1; yield 2; } catch (e) { log.push(`caught ${e}`); yield "recovered"; } finally { log.push("closed"); } }
  for (const value of guarded()) { log.push(value); break; }
  const thrower = guarded();
  thrower.next();
  line("throw and close", thrower.throw("ball"), thrower.next(), log);
  const range = { from: 1, to: 4, [Symbol.iterator]() { let at = this.from; return { next: () => (at <= this.to ? { value: at++, done: false } : { value: undefined, done: true }), return: () => { log.push("left at " + at); return {}; } }; } };
  const [one, two] = range;
  line("protocol", [...range], Math.max(...range), one + two, log.at(-1), Array.from(range, (n) => n * n), new Map(Object.entries({ a: 1 })).entries().toString());
  const lazy = (function* () { let [a, b] = [0, 1]; while (a < 100) { yield a; [a, b] = [b, a + b]; } })();
  line("lazy", [...lazy].join(" "), [...lazy]);
});

section("symbols, proxies, reflection", () => {
  const sym = Symbol("s");
  line("symbols", sym.description, Symbol.for("k") === Symbol.for("k"), Symbol.keyFor(Symbol.for("k")), typeof sym, sym === Symbol("s"), Object(sym) == sym);
  const money = { amount: 5, [Symbol.toPrimitive](hint) { return hint === "number" ? this.amount : hint === "string" ? `$${this.amount}` : "default"; } };
  line("primitives", +money, `${money}`, money + "", money * 2, [Symbol.hasInstance].length, class { static [Symbol.hasInstance](v) { return v > 3; } }[Symbol.hasInstance](4));
  const trace = [];
  const proxy = new Proxy({ a: 1 }, {
    get(target, key, receiver) { trace.push(`get ${String(key)}`); return key in target ? Reflect.get(target, key, receiver) : `no ${String(key)}`; },
    set(target, key, value) { trace.push(`set ${key}`); if (value < 0) return false; target[key] = value; return true; },
    has(target, key) { trace.push(`has ${key}`); return key.startsWith("a"); },
    deleteProperty(target, key) { trace.push(`delete ${key}`); return delete target[key]; },
    ownKeys: () => ["a", "z"],
    getOwnPropertyDescriptor: (target, key) => ({ value: target[key] ?? 0, enumerable: true, configurable: true, writable: true }),
  });
  proxy.b = 2;
  line("proxy", proxy.a, proxy.zip, "abc" in proxy, "b" in proxy, delete proxy.a, thrown(() => { proxy.c = -1; }), Object.keys(proxy), { ...proxy }, trace);
  const callable = new Proxy(function f() {}, { apply: (f, self, args) => args.length, construct: (f, args) => ({ made: args }) });
  line("callable", callable(1, 2), new callable(3), thrown(() => Proxy.revocable({}, {}).proxy.x), Reflect.apply(Math.max, null, [1, 3]), Reflect.construct(Date, [0]).getTime(), Reflect.has({ x: 1 }, "x"));
  const { proxy: dead, revoke } = Proxy.revocable({}, {});
  revoke();
  line("revoked", thrown(() => dead.x), Reflect.defineProperty(Object.freeze({}), "x", { value: 1 }), Reflect.getPrototypeOf([]) === Array.prototype);
  line("functions", (function () { return arguments.length; })(1, 2, 3), (() => {}).name, Math.max.bind(null, 5)(3), (function () { return this; }).call(7), (function f(a, b = 1, ...c) {}).length, new Function("a", "b", "return a ** b")(2, 10));
});

section("dates in UTC", () => {
  const day = 86400000, utc = Date.UTC;
  line("parts", new Date(utc(2024, 1, 29, 23, 59, 59, 999)), new Date("2024-02-29T12:00:00+05:30"), new Date("2000-01-01"), new Date(-1), new Date(8.64e15));
  line("overflow", new Date(utc(2023, 13, 31)), new Date(utc(2024, 0, 0)), new Date(utc(99, 0)), new Date(utc(2024, 1, 30, 25, -61)), new Date(8.64e15 + 1).getTime());
  const date = new Date(utc(2024, 0, 31));
  date.setUTCMonth(1);
  line("setters", date, new Date(date.setUTCDate(0)), date.getUTCDay(), date.toJSON(), thrown(() => new Date(NaN).toISOString()));
  const leap = (y) => new Date(utc(y, 1, 29)).getUTCMonth() === 1;
  line("leap years", [1900, 1999, 2000, 2004, 2100, 2400].filter(leap), (utc(2025, 0, 1) - utc(2024, 0, 1)) / day, Math.floor(utc(1969, 6, 20) / day));
  const fridays = [];
  for (let m = 0; m < 24; m++) { const d = new Date(utc(2024, m, 13)); if (d.getUTCDay() === 5) fridays.push(d.toISOString().slice(0, 7)); }
  line("fridays the 13th", fridays, Date.parse("1970-01-01T00:00:00.001Z"), Date.parse("+275760-09-13T00:00:00.000Z"), Date.parse("nonsense"), new Date(utc(-1, 0)));
});

section("control flow", () => {
  const grid = [];
  rows: for (let y = 0; y < 5; y++) { for (let x = 0; ; x++) { if (x > y) continue rows; if (x * y === 6) break rows; grid.push(`${x}${y}`); } }
  line("labels", grid.join(" "));
  const kind = (v) => { switch (v) { case 1: case "1": return "one"; default: return "other"; case NaN: return "never"; case 2: { let s = "two"; return s; } } };
  line("switch", [1, "1", NaN, 2, 3].map(kind), ((n) => { let s = ""; switch (n) { case 0: s += "a"; case 1: s += "b"; break; case 2: s += "c"; } return s; })(0));
  let steps = 0, n = 27;
  do { n = n % 2 ? 3 * n + 1 : n / 2; steps++; } while (n !== 1);
  const keys = []; for (const key in Object.create({ inherited: 1 }, { own: { value: 1, enumerable: true } })) keys.push(key);
  line("loops", steps, keys, (() => { for (const x of [1, 2, 3]) if (x > 1) return x; })(), ((a, b) => (a++, b--, a - b))(5, 3), void 0, typeof typeof 1);
  block: { steps = -1; if (steps < 0) break block; steps = 99; }
  line("block", steps, eval("1; { 2 }"), (() => { try { return 1; } finally { steps = 5; } })(), steps);
});

out("done");
