// Records itself with the profilers of @datadog/pprof.
//
// It sorts, joins strings and calls anonymous functions and methods; the CPU time
// is sampled as well as what is allocated. Writes DIRECTORY/node-time.pprof and
// DIRECTORY/node-heap.pprof. Usage: nodework.js SECONDS DIRECTORY
const fs = require("fs");
const path = require("path");
const pprof = require("@datadog/pprof");

function nest(depth, rounds) {
  if (depth > 0) return nest(depth - 1, rounds) + 1;
  let sum = 0;
  for (let i = 0; i < rounds; i++) sum += (i * i) % 97;
  return sum;
}

class Words {
  constructor(count) {
    this.words = Array.from({ length: count }, (_, i) => String((i * 7919) % count));
  }

  sorted() {
    return [...this.words].sort((a, b) => (a < b ? -1 : 1));
  }
}

function work(seconds) {
  const end = Date.now() + seconds * 1000;
  const kept = [];
  while (Date.now() < end) {
    nest(3, 20000);
    const sorted = new Words(400).sorted();
    if (kept.length < 50) kept.push(sorted.join(";"));
  }
  return kept;
}

async function main(seconds, directory) {
  const write = (name, profile) =>
    fs.writeFileSync(path.join(directory, name), pprof.encodeSync(profile));
  pprof.heap.start(32 * 1024, 64);
  pprof.time.start({ durationMillis: seconds * 1000, intervalMicros: 10000, lineNumbers: true });
  const kept = work(seconds);
  write("node-time.pprof", await pprof.time.stop());
  write("node-heap.pprof", await pprof.heap.profile());
  return kept;
}

main(Number(process.argv[2]), process.argv[3]);
