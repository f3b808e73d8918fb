// The JavaScript workload of the comparison: what scripts do, in seven parts, each of which prints one
// line that depends on all of its work. Deterministic: no clock, no randomness, no function whose last
// digit differs between engines. Run it with `cargo skerry js sightglass-bench/js/workload.js`; node
// prints the same.
"use strict";

// A generator of pseudo-random numbers (xorshift), so that every engine sees the same input.
function Random(seed) {
  let state = seed | 0;
  return function next() {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

// 1. Objects: a machine of tasks that hand packets to each other, as operating systems are simulated.
class Packet {
  constructor(kind, value) {
    this.kind = kind;
    this.value = value;
    this.next = null;
  }
}

class Queue {
  constructor() {
    this.head = null;
    this.tail = null;
    this.length = 0;
  }
  push(packet) {
    packet.next = null;
    if (this.tail === null) this.head = packet;
    else this.tail.next = packet;
    this.tail = packet;
    this.length += 1;
  }
  shift() {
    const packet = this.head;
    if (packet === null) return null;
    this.head = packet.next;
    if (this.head === null) this.tail = null;
    this.length -= 1;
    return packet;
  }
}

class Task {
  constructor(name) {
    this.name = name;
    this.queue = new Queue();
    this.handled = 0;
  }
  step(machine) {
    const packet = this.queue.shift();
    if (packet === null) return false;
    this.handled += 1;
    this.handle(packet, machine);
    return true;
  }
}

class Worker extends Task {
  handle(packet, machine) {
    packet.value = (Math.imul(packet.value, 1664525) + 1013904223) >>> 0;
    machine.send(packet.value & 1 ? "disk" : "net", packet);
  }
}

class Device extends Task {
  constructor(name, delay) {
    super(name);
    this.delay = delay;
    this.pending = [];
  }
  handle(packet, machine) {
    this.pending.push(packet);
    if (this.pending.length >= this.delay) {
      for (const waiting of this.pending) {
        waiting.value ^= this.handled;
        machine.send("worker" + (waiting.value & 3), waiting);
      }
      this.pending.length = 0;
    }
  }
}

class Machine {
  constructor() {
    this.tasks = new Map();
    this.sent = 0;
  }
  add(task) {
    this.tasks.set(task.name, task);
  }
  send(name, packet) {
    this.sent += 1;
    this.tasks.get(name).queue.push(packet);
  }
  run(rounds) {
    for (let round = 0; round < rounds; round++) {
      for (const task of this.tasks.values()) task.step(this);
    }
  }
}

function tasks() {
  const machine = new Machine();
  for (let i = 0; i < 4; i++) machine.add(new Worker("worker" + i));
  machine.add(new Device("disk", 3));
  machine.add(new Device("net", 2));
  for (let i = 0; i < 32; i++) machine.send("worker" + (i & 3), new Packet("work", i * 7919));
  machine.run(37500);
  const handled = [...machine.tasks.values()].map((task) => task.name + "=" + task.handled);
  return handled.join(" ") + " sent=" + machine.sent;
}

// 2. Floating point: planets, and the spectral norm of a matrix that is never stored.
function planets() {
  const bodies = [
    [0, 0, 0, 0, 0, 0, 39.47841760435743],
    [4.84143144246472, -1.16032004402742, -0.10362204447112, 0.60632639299409, 2.81198684491626, -0.02521836165988, 0.03769367487038],
    [8.34336671824458, 4.1247985641243, -0.40352341711432, -1.01077434617879, 1.82566237123041, 0.00841576137658, 0.01128632613196],
    [12.8943695621391, -15.1111514016986, -0.22330757889266, 1.08279100644154, 0.86871301816961, -0.01083263740136, 0.00172372405706],
    [15.3796971148509, -25.9193146099879, 0.17925877295037, 0.97909073224389, 0.5946989986477, -0.034755955504, 0.00203368686992],
  ].map(([x, y, z, vx, vy, vz, mass]) => ({ x, y, z, vx, vy, vz, mass }));
  const advance = (dt) => {
    for (let i = 0; i < bodies.length; i++) {
      const a = bodies[i];
      for (let j = i + 1; j < bodies.length; j++) {
        const b = bodies[j];
        const dx = a.x - b.x, dy = a.y - b.y, dz = a.z - b.z;
        const square = dx * dx + dy * dy + dz * dz;
        const force = dt / (square * Math.sqrt(square));
        a.vx -= dx * b.mass * force;
        a.vy -= dy * b.mass * force;
        a.vz -= dz * b.mass * force;
        b.vx += dx * a.mass * force;
        b.vy += dy * a.mass * force;
        b.vz += dz * a.mass * force;
      }
    }
    for (const body of bodies) {
      body.x += dt * body.vx;
      body.y += dt * body.vy;
      body.z += dt * body.vz;
    }
  };
  for (let step = 0; step < 31250; step++) advance(0.01);
  const size = 100;
  const element = (i, j) => 1 / (((i + j) * (i + j + 1)) / 2 + i + 1);
  const multiply = (v, transposed) => {
    const product = new Float64Array(size);
    for (let i = 0; i < size; i++) {
      let sum = 0;
      for (let j = 0; j < size; j++) sum += (transposed ? element(j, i) : element(i, j)) * v[j];
      product[i] = sum;
    }
    return product;
  };
  let u = new Float64Array(size).fill(1), v = u;
  for (let i = 0; i < 6; i++) {
    v = multiply(multiply(u, false), true);
    u = multiply(multiply(v, false), true);
  }
  let top = 0, bottom = 0;
  for (let i = 0; i < size; i++) {
    top += u[i] * v[i];
    bottom += v[i] * v[i];
  }
  return bodies.map((body) => body.x.toFixed(9)).join(" ") + " norm=" + Math.sqrt(top / bottom);
}

// 3. Typed arrays: SHA-256 of 525 KB, its constants derived from the primes with integers.
function root(n, power) { // the first 32 bits behind the point of the square or cube root of n
  let low = 0n, high = 1n << 40n;
  const wanted = BigInt(n) << BigInt(32 * power);
  while (high - low > 1n) {
    const middle = (low + high) >> 1n;
    if (middle ** BigInt(power) <= wanted) low = middle;
    else high = middle;
  }
  return Number(low & 0xffffffffn);
}

function sha256(bytes) {
  const primes = [];
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p !== 0)) primes.push(n);
  const constants = Uint32Array.from(primes, (p) => root(p, 3));
  const state = Uint32Array.from(primes.slice(0, 8), (p) => root(p, 2));
  const padded = new Uint8Array((((bytes.length + 8) >> 6) + 1) << 6);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 4, bytes.length * 8);
  const w = new Uint32Array(64);
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2];
      const s0 = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const s1 = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const s1 = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + constants[i] + w[i]) | 0;
      const s0 = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + t1) | 0;
      d = c; c = b; b = a; a = (t1 + t2) | 0;
    }
    [a, b, c, d, e, f, g, h].forEach((value, i) => { state[i] += value; });
  }
  return [...state].map((word) => word.toString(16).padStart(8, "0")).join("");
}

function digest() {
  const next = Random(7);
  const bytes = Uint8Array.from({ length: 525000 }, () => next() >>> 24);
  return sha256(new Uint8Array(0)).slice(0, 8) + " " + sha256(bytes);
}

// 4. Strings and regular expressions: a text is written, searched, counted, rewritten.
const WORDS = "the of stone river and light a in to shell wave under north salt harbour rope gull it was".split(" ");

function text(length) {
  const next = Random(42);
  const lines = [];
  for (let size = 0; size < length; ) {
    const words = [];
    for (let n = 4 + (next() % 9); n > 0; n--) words.push(WORDS[next() % WORDS.length]);
    const line = words.join(" ") + (next() % 4 ? "" : " <" + words[0] + next() % 100 + "@" + words[1] + ".example>") + ".";
    lines.push(line[0].toUpperCase() + line.slice(1));
    size += line.length + 1;
  }
  return lines.join("\n");
}

function words() {
  const source = text(750000);
  const counts = new Map();
  for (const [word] of source.matchAll(/[a-z]+/gi)) {
    const key = word.toLowerCase();
    counts.set(key, (counts.get(key) ?? 0) + 1);
  }
  const ranked = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1));
  const hosts = new Set();
  for (const match of source.matchAll(/<(?<user>[a-z]+)(?<number>\d+)@(?<host>[a-z]+\.example)>/g)) {
    hosts.add(match.groups.host + "/" + (match.groups.number % 10));
  }
  const swapped = source.replace(/\b(\w+) (the|of|and) (\w+)\b/g, (_, a, b, c) => `${c} ${b} ${a}`);
  const doubled = swapped.match(/\b(\w+) \1\b/g) ?? [];
  let hash = 0;
  for (let i = 0; i < swapped.length; i++) hash = (Math.imul(hash, 31) + swapped.charCodeAt(i)) | 0;
  return ranked.slice(0, 3).map(([word, n]) => word + ":" + n).join(" ") +
    ` hosts=${hosts.size} doubled=${doubled.length} hash=${hash >>> 0}`;
}

// 5. JSON: a document goes out and comes back, changed each time.
function documents() {
  const next = Random(99);
  let list = Array.from({ length: 500 }, (_, id) => ({
    id, name: "item \"" + id + "\" é\u2028", price: (next() % 100000) / 100, tags: [WORDS[id % 19], WORDS[next() % 19]],
    nested: { on: next() % 2 === 0, none: null, ratio: next() / 4294967296 },
  }));
  let size = 0;
  for (let round = 0; round < 600; round++) {
    const json = JSON.stringify(list);
    size += json.length;
    list = JSON.parse(json, round % 6 ? undefined : (key, value) => (key === "price" ? value + 1 : value));
    list.reverse();
  }
  const total = list.reduce((sum, item) => sum + item.price + item.nested.ratio, 0);
  return `size=${size} total=${total} first=${list[0].name.length}`;
}

// 6. Collections, sorting and closures: a graph with shortest ways, prime sieves, permutations.
function graph() {
  const next = Random(2024);
  const count = 6250, edges = new Map();
  for (let i = 0; i < count; i++) edges.set(i, []);
  for (let i = 0; i < count * 6; i++) edges.get(next() % count).push({ to: next() % count, cost: 1 + (next() % 50) });
  const heap = [], distance = new Array(count).fill(Infinity);
  const push = (node, cost) => {
    let at = heap.push({ node, cost }) - 1;
    for (let up; at > 0 && heap[(up = (at - 1) >> 1)].cost > heap[at].cost; at = up) [heap[at], heap[up]] = [heap[up], heap[at]];
  };
  const pop = () => {
    const top = heap[0], last = heap.pop();
    if (heap.length > 0) {
      heap[0] = last;
      for (let at = 0; ; ) {
        let least = at;
        for (const child of [2 * at + 1, 2 * at + 2]) if (child < heap.length && heap[child].cost < heap[least].cost) least = child;
        if (least === at) break;
        [heap[at], heap[least]] = [heap[least], heap[at]];
        at = least;
      }
    }
    return top;
  };
  push(0, 0);
  distance[0] = 0;
  while (heap.length > 0) {
    const { node, cost } = pop();
    if (cost > distance[node]) continue;
    for (const edge of edges.get(node)) {
      if (cost + edge.cost < distance[edge.to]) {
        distance[edge.to] = cost + edge.cost;
        push(edge.to, distance[edge.to]);
      }
    }
  }
  const reached = distance.filter(Number.isFinite).sort((a, b) => a - b);
  const names = Array.from({ length: 15000 }, () => "n" + (next() % 100000).toString(36)).sort();
  return `reached=${reached.length} median=${reached[reached.length >> 1]} far=${reached.at(-1)} names=${names[0]}..${names.at(-1)}`;
}

// 7. Calls: recursion, generators, exceptions, search for queens by backtracking.
function* permutations(items) {
  if (items.length < 2) yield items;
  else for (let i = 0; i < items.length; i++)
    for (const rest of permutations([...items.slice(0, i), ...items.slice(i + 1)])) yield [items[i], ...rest];
}

function calls() {
  const fibonacci = (n) => (n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2));
  const queens = (n, columns, left, right) => {
    const all = (1 << n) - 1;
    if (columns === all) return 1;
    let found = 0;
    for (let free = all & ~(columns | left | right); free; free &= free - 1) {
      const bit = free & -free;
      found += queens(n, columns | bit, (left | bit) << 1, (right | bit) >>> 1);
    }
    return found;
  };
  let caught = 0;
  for (let i = 0; i < 25000; i++) {
    try {
      if (i % 3 === 0) throw new RangeError("number " + i);
      if (i % 7 === 0) null.property;
    } catch (error) {
      caught += error instanceof RangeError ? 1 : 1000;
    }
  }
  let order = 0, seen = 0;
  for (const items of permutations([1, 2, 3, 4, 5, 6, 7])) order = (order * 7 + items[seen++ % 7]) % 1000003;
  return `fibonacci=${fibonacci(29) + fibonacci(26)} queens=${queens(10, 0, 0, 0) + queens(9, 0, 0, 0)} caught=${caught} order=${order}`;
}

const parts = [tasks, planets, digest, words, documents, graph, calls];
for (const part of parts) console.log(part.name + ": " + part());
