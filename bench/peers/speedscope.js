// Runs the importer and the exporter of the published speedscope without a browser.
//
//     node speedscope.js RELEASE import FILE    imports; prints "WEIGHT UNIT NAME" for each profile
//     node speedscope.js RELEASE export FILE    imports, and exports to stdout as its "Export" does
//
// RELEASE is the folder dist/release of the npm package. The package is one script, an application
// that starts itself and offers nothing to other programs. So the script runs up to where it would
// draw its window, and the two functions are taken from there: both are called in places whose
// strings survive minifying. Neither is changed.
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const NAME = "([\\w$]+)";
const IMPORTER = new RegExp(
  `async function ${NAME}\\([\\w$,]+\\)\\{return\\(await ${NAME}\\)\\.importProfilesFromArrayBuffer\\(`,
);
const EXPORTER = new RegExp(`=${NAME}\\(${NAME}\\),${NAME}=new Blob\\(\\[JSON\\.stringify\\(`);
const START = "console.log(`speedscope v";

function load(release) {
  const name = fs.readdirSync(release).find((name) => /^speedscope-\w+\.js$/.test(name));
  const script = fs.readFileSync(path.join(release, name), "utf8");
  const [importer, exporter] = [IMPORTER, EXPORTER].map((place) => script.match(place)?.[1]);
  const end = script.lastIndexOf(START);
  if (!importer || !exporter || end < 0) throw new Error(`${name} is not the speedscope this was written for`);
  globalThis.window = globalThis;
  globalThis.document = standIn();
  globalThis.location = { hash: "", href: "", protocol: "file:" };
  globalThis.localStorage = { getItem: () => null, setItem() {} };
  globalThis.matchMedia = () => ({ matches: false, addEventListener() {}, addListener() {} });
  globalThis.FontFace = class { load() { return new Promise(() => {}); } };
  globalThis.addEventListener = () => {};
  const taken = `globalThis.taken={importer:${importer},exporter:${exporter}};return;`;
  vm.runInThisContext(script.slice(0, end) + taken + script.slice(end), { filename: name });
  return globalThis.taken;
}

// Something of which everything can be asked, for what is done to the page while the script loads.
function standIn() {
  return new Proxy(function () {}, {
    get: (_, key) => (key === Symbol.toPrimitive ? () => "" : standIn()),
    set: () => true,
    apply: standIn,
    construct: standIn,
  });
}

async function main([release, command, file]) {
  const { importer, exporter } = load(release);
  console.log = () => {}; // it tells which importer it took
  const group = await importer(path.basename(file), contents(file));
  if (!group) throw new Error(`speedscope does not know what ${file} is`);
  if (command === "export") {
    writeAll(JSON.stringify(exporter(group)));
  } else {
    for (const profile of group.profiles) {
      writeAll(`${profile.getTotalWeight()} ${profile.getWeightUnit()} ${profile.getName()}\n`);
    }
  }
}

function contents(file) {
  const { buffer, byteOffset, byteLength } = fs.readFileSync(file);
  const shared = byteLength < buffer.byteLength; // small files lie in a buffer with other things
  return shared ? buffer.slice(byteOffset, byteOffset + byteLength) : buffer;
}

function writeAll(text) {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; ) at += fs.writeSync(1, bytes, at);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
