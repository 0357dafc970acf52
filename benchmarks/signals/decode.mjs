// CPU time of reading consent strings with IAB's library: the same strings and rounds as crates/signal/benches/decode.rs.
//
//     node decode.mjs FOLDER FILE
//
// FOLDER holds `node_modules`; FILE has a kind and a string on each line.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve(process.argv[2], "here.js"));
const { TCString } = require("@iabtechlabtcf/core");

const ROUNDS = 3;
const AT_LEAST_MS = 1000;

const kinds = new Map();
for (const line of readFileSync(process.argv[3], "utf8").split("\n").filter(Boolean)) {
  const [kind, text] = line.split("\t");
  kinds.set(kind, [...(kinds.get(kind) ?? []), text]);
}

let kept;
function micros(texts) {
  const [start, before] = [performance.now(), process.cpuUsage()];
  let read = 0;
  while (performance.now() - start < AT_LEAST_MS) {
    for (const text of texts) {
      kept = TCString.decode(text);
    }
    read += texts.length;
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / read;
}

for (const [kind, texts] of kinds) {
  micros(texts); // The compiler and the collector settle.
  const best = Math.min(...Array.from({ length: ROUNDS }, () => micros(texts)));
  console.log(JSON.stringify({ kind, cpu_micros: best }));
}
if (kept === undefined) throw new Error("nothing was read");
