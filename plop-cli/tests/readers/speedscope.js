// Reads profiles with speedscope's own importer and tells what it made of them, one JSON object a line
// for each file: node speedscope.js PACKAGE FILE...
//
// The package of speedscope holds nothing but the built web page. Its script runs here without a
// page; the importer is met on its way, when the script declares what its modules export.
"use strict";

const fs = require("fs");
const path = require("path");

const [, , folder, ...files] = process.argv;

// What the script asks of a browser gets an answer that can be called, built, read and asked again.
const nothing = new Proxy(function () {}, {
  get: (_, key) => (key === Symbol.toPrimitive ? () => "" : nothing),
  set: () => true,
  apply: () => nothing,
  construct: () => nothing,
});

function pretendToBeABrowser(release) {
  const browser = {
    window: globalThis,
    document: nothing,
    localStorage: nothing,
    location: { hash: "", href: "", protocol: "http:", search: "" },
    navigator: { userAgent: "", platform: "" },
    matchMedia: () => nothing,
    addEventListener() {},
    removeEventListener() {},
    requestAnimationFrame() {},
    devicePixelRatio: 1,
    HTMLElement: class {},
    FontFace: class {
      load() {
        return new Promise(() => {});
      }
    },
    // Parts of the importer lie beside the script.
    fetch: async (url) => {
      const file = path.join(release, path.basename(String(url.url ?? url)));
      return new Response(fs.readFileSync(file), { headers: { "content-type": "application/wasm" } });
    },
  };
  for (const [name, value] of Object.entries(browser)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

async function importer() {
  const release = path.join(folder, "dist/release");
  const script = fs.readdirSync(release).find((name) => /^speedscope-.*\.js$/.test(name));
  pretendToBeABrowser(release);
  let exported;
  const define = Object.defineProperty;
  Object.defineProperty = (object, key, descriptor) => {
    if (key === "importProfilesFromArrayBuffer") exported = descriptor.get;
    return define(object, key, descriptor);
  };
  const log = console.log;
  console.log = () => {};
  try {
    (0, eval)(fs.readFileSync(path.join(release, script), "utf8"));
  } catch (error) {
    // It wants to show itself, and there is no page; the importer has been declared before.
    if (!exported) throw error;
  } finally {
    Object.defineProperty = define;
  }
  // The script sets its importer up as soon as it is idle.
  await new Promise((resolve) => setTimeout(resolve, 0));
  console.log = log;
  if (!exported) throw new Error("this speedscope does not export its importer");
  return exported();
}

// Halves of characters, which JSON cannot carry, become U+FFFD.
const whole = (text) => Buffer.from(text ?? "").toString();

// Stacks from the root, each once, with the sum of their weights.
function stacks(profile) {
  const sums = new Map();
  profile.samples.forEach((leaf, n) => {
    const frames = [];
    for (let node = leaf; node && !node.isRoot(); node = node.parent) {
      const { name, file, line, col } = node.frame;
      frames.unshift({ name: whole(name), file: whole(file), line: line ?? 0, column: col ?? 0 });
    }
    const key = JSON.stringify(frames);
    const sum = sums.get(key) ?? { stack: frames, weight: 0 };
    sum.weight += profile.weights[n];
    sums.set(key, sum);
  });
  return [...sums.values()];
}

async function main() {
  const read = await importer();
  // It tells of the format it takes a file for.
  console.log = () => {};
  for (const file of files) {
    const bytes = fs.readFileSync(file);
    const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
    let group;
    try {
      group = await read(path.basename(file), buffer);
    } catch (error) {
      process.stdout.write(JSON.stringify({ error: String(error) }) + "\n");
      continue;
    }
    const told = group && {
      name: whole(group.name),
      active: group.indexToView,
      profiles: group.profiles.map((profile) => ({
        name: whole(profile.getName()),
        unit: profile.getWeightUnit(),
        total: profile.getTotalWeight(),
        stacks: stacks(profile),
      })),
    };
    process.stdout.write(JSON.stringify(told ?? { error: "not recognized" }) + "\n");
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
