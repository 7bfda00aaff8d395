// Opens a page in Chromium as a person would, and tells as JSON what it shows:
//
//   node page.js PLAYWRIGHT CHROMIUM speedscope PACKAGE FILE [PICTURE]
//   node page.js PLAYWRIGHT CHROMIUM svg FILE TERM [PICTURE]
//
// Everything is served on a port of the loopback that is free. PICTURE is a PNG file to be written, for
// people to look at.
"use strict";

const fs = require("fs");
const http = require("http");
const os = require("os");
const path = require("path");

const [, , playwright, executablePath, what, ...rest] = process.argv;
const { chromium } = require(path.resolve(playwright));

// Without these Chromium looks for hosts that are not there, and for a screen.
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TYPES = {
  ".html": "text/html",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

// Serves files by their names; resolves to their address.
function serve(files) {
  const server = http.createServer((request, response) => {
    const name = decodeURIComponent(request.url.split("?")[0].slice(1));
    const file = Object.hasOwn(files, name) ? files[name] : undefined;
    if (name === "favicon.ico") return response.writeHead(204).end();
    if (!file) return response.writeHead(404).end();
    const type = TYPES[path.extname(file)] ?? "application/octet-stream";
    response.writeHead(200, { "content-type": type });
    fs.createReadStream(file).pipe(response);
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      resolve(`http://127.0.0.1:${server.address().port}`);
    });
  });
}

// What went wrong on a page, and what it asked of others.
function watch(page, address) {
  const seen = { errors: [], dialogs: [], elsewhere: [] };
  page.on("pageerror", (error) => seen.errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error") seen.errors.push(message.text());
  });
  page.on("request", (request) => {
    const url = request.url();
    if (/^https?:/.test(url) && !url.startsWith(address)) seen.elsewhere.push(url);
  });
  return seen;
}

// Speedscope with a file: for each of its profiles the heading, and the rows of the table of functions
// that fit the window, the heaviest first.
async function speedscope(page, [folder, file, picture]) {
  const release = path.join(folder, "dist/release");
  const files = Object.fromEntries(
    fs.readdirSync(release).map((name) => [name, path.join(release, name)]),
  );
  const name = path.basename(file);
  files[`profile/${name}`] = file;
  const address = await serve(files);
  const seen = watch(page, address);
  page.on("dialog", (dialog) => {
    seen.dialogs.push(dialog.message());
    dialog.dismiss();
  });
  const profile = encodeURIComponent(`${address}/profile/${encodeURIComponent(name)}`);
  await page.goto(`${address}/index.html#profileURL=${profile}`);
  const tab = page.getByText("Sandwich");
  await tab.or(page.getByText("Something went wrong")).first().waitFor();
  if (picture) await page.screenshot({ path: picture.replace(/\.png$/, "-flame.png") });
  await tab.click();
  if (picture) await page.screenshot({ path: picture });
  // `NAME (2/9)` is the second of nine; nothing stands behind the name of an only one.
  const place = async () => /\((\d+)\/(\d+)\)/.exec(await page.innerText("body"));
  const [, shown, count] = ((await place()) ?? ["", "1", "1"]).map(Number);
  for (let n = shown; n > 1; n--) await page.keyboard.press("p");
  const profiles = [];
  for (let n = 1; n <= count; n++) {
    if (count > 1) await page.getByText(`(${n}/${count})`).waitFor();
    const heading = (await page.innerText("body")).split("\n")[1];
    const cells = (rows) => rows.map((row) => [...row.cells].map((cell) => cell.innerText.trim()));
    const rows = await page.locator("tr:visible").evaluateAll(cells);
    profiles.push({ heading, rows: rows.filter((row) => row.length === 3).slice(1) });
    await page.keyboard.press("n");
  }
  return { shown, profiles, ...seen };
}

// A flame graph: its boxes, and what it tells when a term is searched for.
async function svg(page, [file, term, picture]) {
  const address = await serve({ "graph.svg": file });
  const seen = watch(page, address);
  page.on("dialog", (dialog) => {
    seen.dialogs.push(dialog.message());
    dialog.accept(term);
  });
  await page.goto(`${address}/graph.svg`);
  const text = (selector) => page.locator(selector).textContent();
  const boxes = page.locator("#frames > *");
  const count = await boxes.count();
  // The labels are fitted to the window once the page is there.
  await page.waitForFunction(() => !document.documentElement.hasAttribute("viewBox"));
  const labels = (await boxes.locator("text").allTextContents()).filter((label) => label !== "");
  if (picture) await page.screenshot({ path: picture.replace(/\.png$/, "-plain.png") });
  await page.keyboard.press("Control+f");
  const matched = await text("#matched");
  if (picture) await page.screenshot({ path: picture });
  await page.locator("#search").click();
  const afterReset = await text("#matched");
  await page.locator("#search").click();
  const again = await text("#matched");
  // One of the widest boxes: that for everything is wider.
  const widest = await boxes.evaluateAll((boxes) => {
    const width = (box) => Number(box.querySelector("rect").getAttribute("fg:w"));
    const ranked = boxes.map((box, n) => ({ n, width: width(box) }));
    ranked.sort((a, b) => b.width - a.width);
    return ranked[1].n;
  });
  const box = boxes.nth(widest);
  await box.hover();
  const details = await text("#details");
  const title = await box.locator("title").textContent();
  await box.click();
  const zoomed = await box.locator("rect").getAttribute("width");
  const result = { count, labels, matched, afterReset, again, details, title, zoomed };
  return { heading: await text("#title"), ...result, ...seen };
}

async function main() {
  const home = fs.mkdtempSync(path.join(os.tmpdir(), "plop-page-"));
  const browser = await chromium.launchPersistentContext(home, {
    executablePath,
    args: FLAGS,
    viewport: { width: 1200, height: 700 },
  });
  try {
    const page = browser.pages()[0] ?? (await browser.newPage());
    // A busy machine takes its time.
    page.setDefaultTimeout(120_000);
    const told = await { speedscope, svg }[what](page, rest);
    fs.writeSync(1, JSON.stringify(told) + "\n");
  } finally {
    await browser.close();
    fs.rmSync(home, { recursive: true, force: true });
  }
}

main()
  .then(() => process.exit(0))
  .catch((error) => {
    console.error(error);
    process.exit(1);
  });
