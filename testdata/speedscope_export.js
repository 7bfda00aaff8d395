// Opens a profile in the speedscope app and saves what the app exports.
//
// The app runs in a browser and its package (npm, `speedscope`) holds one minified
// bundle. This script loads that bundle in node with a browser that does nothing,
// stops it before it shows a page, and takes two functions out of it: the one that
// imports a file of any format and the one behind the button "Export". Made for
// version 1.25.0; another version may name them differently.
// Usage: node speedscope_export.js PACKAGE INPUT OUTPUT
const fs = require("fs");
const path = require("path");
const vm = require("vm");

const [packageFolder, input, output] = process.argv.slice(2);

function only(pattern, text) {
  const found = pattern.exec(text);
  if (!found) throw new Error(`speedscope_export.js: no ${pattern} in the bundle`);
  return found[1];
}

// Makes the bundle's code give its functions away and stop instead of starting.
function opened(code) {
  const module = only(/var ([\w$]+)=\{\};[\w$]+\(\1,\{[^}]*importProfilesFromArrayBuffer/, code);
  const init = only(new RegExp(`\\(([\\w$]+)\\(\\),${module.replace("$", "\\$")}\\)`), code);
  const save = only(/^.*function ([\w$]+)\([\w$]+\)\{let [\w$]+=\[\],[\w$]+=new Map;.*?exporter:`speedscope@/s, code);
  const end = code.lastIndexOf("console.log(`speedscope v");
  if (end < 0) throw new Error("speedscope_export.js: the bundle's start was not found");
  const give = `globalThis.app={load:(${init}(),${module}.importProfilesFromArrayBuffer),save:${save}};`;
  return `${code.slice(0, end)}${give}throw globalThis.app;${code.slice(end)}`;
}

const nothing = () =>
  new Proxy(function () {}, {
    get: (_, key) => (key === Symbol.toPrimitive ? () => "" : nothing()),
    set: () => true,
    apply: () => nothing(),
    construct: () => nothing(),
  });
Object.assign(globalThis, {
  window: globalThis,
  document: nothing(),
  location: { hash: "", protocol: "file:", href: "" },
  localStorage: { getItem: () => null, setItem() {} },
  matchMedia: () => ({ matches: false, addListener() {}, addEventListener() {} }),
  addEventListener() {},
  requestAnimationFrame() {},
  HTMLElement: class {},
  FontFace: class {
    load() {
      return new Promise(() => {});
    }
  },
});

const release = path.join(packageFolder, "dist", "release");
const bundle = fs.readdirSync(release).find((name) => /^speedscope-.*\.js$/.test(name));
try {
  vm.runInThisContext(opened(fs.readFileSync(path.join(release, bundle), "utf8")));
} catch (thrown) {
  if (thrown !== globalThis.app) throw thrown;
}

const bytes = new Uint8Array(fs.readFileSync(input));
globalThis.app.load(path.basename(input), bytes.buffer).then((group) => {
  if (!group) throw new Error(`speedscope_export.js: the app cannot import ${input}`);
  fs.writeFileSync(output, JSON.stringify(globalThis.app.save(group)));
  for (const profile of group.profiles) {
    console.log(`${output}: ${profile.getName()}: ${profile.getTotalWeight()} ${profile.getWeightUnit()}`);
  }
});
