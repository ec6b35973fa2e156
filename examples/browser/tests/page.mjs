// The page in a real Chromium: values, messages, time, memory, looks.
//
//   cargo run -p decoupled-seg-browser-serve -- --build-only
//   npm ci && npm test
//
// CHROMIUM names the browser (/usr/bin/chromium), OUT a folder for screenshots (target/browser-test).

import assert from "node:assert/strict";
import { spawn, execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { chromium } from "playwright-core";
import { png, safetensors, withoutDescription } from "./files.mjs";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const site = join(root, "target/browser-site");
const out = process.env.OUT ?? join(root, "target/browser-test");
const own = readFileSync(join(site, "street_scenes.safetensors"));
mkdirSync(out, { recursive: true });

/** Logits of a browser and of the native program: sums in another order. */
const CLOSE = 1e-3;

const figures = {};
const failures = [];

async function test(name, body) {
  try {
    await body();
    console.log(`ok    ${name}`);
  } catch (error) {
    failures.push(name);
    console.log(`FAIL  ${name}\n${error.stack}`);
  }
}

// --- server, browser, page

function serve() {
  const server = spawn(join(root, "target/debug/decoupled-seg-browser-serve"), ["--serve-only", "--port", "0"], { cwd: root });
  return new Promise((resolve, reject) => {
    server.on("error", reject);
    server.on("exit", (code) => reject(new Error(`the server stopped: ${code}`)));
    server.stdout.on("data", (text) => {
      const url = /http:\/\/localhost:\d+/.exec(String(text));
      if (url) {
        resolve({ server, url: url[0] });
      }
    });
  });
}

const WEBGPU = ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader", "--enable-features=Vulkan"];

function launch(args) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--use-fake-device-for-media-stream",
      "--use-fake-ui-for-media-stream",
      ...args,
    ],
  });
}

/** Opens the page, waits for the first picture, and does something; an error line on the console fails the test. */
async function onPage(browser, options, body) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, permissions: ["camera"], ...options });
  const errors = [];
  try {
    const page = await context.newPage();
    page.on("pageerror", (error) => errors.push(String(error)));
    page.on("console", (line) => line.type() === "error" && errors.push(line.text()));
    await page.goto(url);
    await page.waitForSelector("body[data-ready]");
    await body(page);
    assert.deepEqual(errors, [], "the console has error lines");
  } finally {
    await context.close();
  }
}

const message = (page) => page.locator("#message p");
const text = (page, id) => page.locator(`#${id}`).textContent();

/** Does something that shows another picture, and waits for it. */
async function nextPicture(page, action) {
  const before = await page.evaluate(() => document.body.dataset.shown);
  await action();
  await page.waitForFunction((before) => document.body.dataset.shown !== before, before, { timeout: 120_000 });
}

async function drop(page, name, bytes, type = "") {
  const data = await page.evaluateHandle(
    ([name, base64, type]) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], name, { type }));
      return data;
    },
    [name, Buffer.from(bytes).toString("base64"), type],
  );
  await page.dispatchEvent("body", "drop", { dataTransfer: data });
}

async function refused(page, name, bytes, pattern) {
  await drop(page, name, bytes);
  await message(page).waitFor();
  assert.match(await message(page).textContent(), pattern);
  // The page goes on.
  await nextPicture(page, () => page.click("#next"));
  assert.equal(await message(page).isVisible(), false);
}

/** The largest difference of logits, and labels that differ without a tie, between the page and the native program. */
async function compare(page, index, gpu) {
  const read = (ending) => readFileSync(join(reference, `scene-${index}.${ending}`));
  const found = await page.evaluate(
    async ([base64, gpu]) => {
      const { session } = await import("./app.js");
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const source = new Blob([bytes], { type: "image/png" });
      const input = await session.do("read", { source, name: "scene", longest: 256, leastSide: 1 });
      const result = await session.do("segment", { ...input, gpu, views: [], logits: true });
      return { logits: [...result.logits], labels: [...result.labels] };
    },
    [read("png").toString("base64"), gpu],
  );
  const bytes = read("logits");
  const expected = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
  const labels = read("labels");
  assert.equal(found.logits.length, expected.length);
  let difference = 0;
  for (const [at, value] of expected.entries()) {
    difference = Math.max(difference, Math.abs(found.logits[at] - value));
    assert.ok(!Number.isNaN(found.logits[at]), "a logit is no number");
  }
  const pixels = labels.length;
  let wrong = 0;
  for (const [pixel, label] of labels.entries()) {
    const logit = (label) => expected[label * pixels + pixel];
    const other = found.labels[pixel];
    wrong += other !== label && Math.abs(logit(label) - logit(other)) > 2 * CLOSE;
  }
  return { difference, wrong };
}

// --- tests

console.log("the native program…");
const reference = join(root, "target/browser-reference");
execFileSync("cargo", ["run", "--quiet", "-p", "decoupled-seg-browser", "--example", "reference", "--", reference], {
  cwd: root,
  stdio: "inherit",
});
const { server, url } = await serve();
let browser = await launch(WEBGPU);
console.log(`Chromium ${browser.version()}`);

await test("download", () => {
  const sizes = {};
  for (const folder of [".", "pkg"]) {
    for (const name of readdirSync(join(site, folder))) {
      const path = join(site, folder, name);
      if (statSync(path).isFile()) {
        const bytes = readFileSync(path);
        sizes[name] = { bytes: bytes.length, gzip: gzipSync(bytes, { level: 9 }).length, brotli: brotliCompressSync(bytes).length };
      }
    }
  }
  figures.download = sizes;
  const total = (kind) => Object.values(sizes).reduce((sum, size) => sum + size[kind], 0);
  figures.total = { bytes: total("bytes"), gzip: total("gzip"), brotli: total("brotli") };
  assert.ok(figures.total.gzip < 8e6, `${figures.total.gzip} bytes`);
  assert.ok(own.length < 2e6, `${own.length} bytes of weights`);
});

await test("the first picture", async () => {
  const start = performance.now();
  await onPage(browser, {}, async (page) => {
    figures.firstPicture = {
      fromNavigation: Math.round(performance.now() - start),
      network: await text(page, "network-time"),
      size: await text(page, "size"),
    };
    assert.equal(figures.firstPicture.size, "256 × 128");
    assert.ok(parseInt(figures.firstPicture.network) < 3000, figures.firstPicture.network);
    await page.screenshot({ path: join(out, "light.png"), fullPage: true });
    const times = [];
    for (let round = 0; round < 5; round++) {
      await nextPicture(page, () => page.click("#next"));
      times.push(parseInt(await text(page, "network-time")));
    }
    figures.cpuMilliseconds = times;
  });
});

await test("values on the CPU are the native program's", () =>
  onPage(browser, {}, async (page) => {
    figures.cpuDifference = [];
    for (const index of [0, 1, 2]) {
      const { difference, wrong } = await compare(page, index, false);
      figures.cpuDifference.push(difference);
      assert.ok(difference < CLOSE, `logits differ by ${difference}`);
      assert.equal(wrong, 0, "labels differ");
    }
  }));

await test("values on WebGPU are the native program's", () =>
  onPage(browser, {}, async (page) => {
    const start = performance.now();
    const before = await page.evaluate(() => document.body.dataset.shown);
    await page.click("[name=device][value=gpu]");
    const settled = (before) => document.body.dataset.shown !== before || !document.getElementById("message").hidden;
    await page.waitForFunction(settled, before, { timeout: 300_000 });
    if (!(await page.locator("[name=device][value=gpu]").isChecked())) {
      figures.webgpu = await message(page).textContent();
      console.log(`      left out: ${figures.webgpu}`);
      assert.match(figures.webgpu, /no adapter|no WebGPU/);
      return;
    }
    figures.webgpu = { device: await text(page, "device-name"), switch: Math.round(performance.now() - start), differences: [] };
    for (const index of [0, 1, 2]) {
      const { difference, wrong } = await compare(page, index, true);
      figures.webgpu.differences.push(difference);
      assert.ok(difference < CLOSE, `logits differ by ${difference}`);
      assert.equal(wrong, 0, "labels differ");
    }
    await nextPicture(page, () => page.click("#next"));
    figures.webgpu.milliseconds = parseInt(await text(page, "network-time"));
    await page.screenshot({ path: join(out, "webgpu.png"), fullPage: true });
    await nextPicture(page, () => page.keyboard.press("d"));
    assert.ok(await page.locator("[name=device][value=cpu]").isChecked());
  }));

await test("fifty pictures do not grow the memory", () =>
  onPage(browser, {}, async (page) => {
    const memory = await page.evaluate(async () => {
      const { session } = await import("./app.js");
      const memory = [];
      for (let index = 0; index < 55; index++) {
        const input = await session.do("scene", { index, width: 256, height: 128 });
        const { memory: bytes } = await session.do("segment", { ...input, gpu: false, views: ["segmentation", "flow"] });
        memory.push(bytes);
      }
      return memory;
    });
    figures.memory = { after5: memory[4], after55: memory[54] };
    assert.equal(memory[54], memory[4], "bytes of the program's memory");
  }));

await test("what cannot be used is a message, and the page goes on", () =>
  onPage(browser, {}, async (page) => {
    await refused(page, "notes.png", Buffer.from("no picture"), /“notes.png” is no picture/);
    await refused(page, "line.png", png(10_000, 10), /10000 × 10 pixels.*at least \d+ on each side/);
    await refused(page, "small.png", png(20, 20), /20 × 20 pixels/);
    const foreign = safetensors({ "features.0.weight": [8, 3, 3, 3], "features.0.bias": [8] });
    await refused(page, "vgg.safetensors", foreign, /of no network that is known.*decoupled-seg export/);
    await refused(page, "cut.safetensors", own.subarray(0, own.length / 2), /cut.safetensors/);
    await refused(page, "empty.safetensors", Buffer.alloc(0), /holds no weights/);
    const legacy = Buffer.concat([Buffer.from("PK\x03\x04", "latin1"), Buffer.alloc(100)]);
    await refused(page, "net.pth", legacy, /a file of PyTorch.*weights convert/);
    // The weights of before are still in use.
    assert.equal(await text(page, "network-name"), "street_scenes.safetensors");
    assert.match(await page.locator("#legend").textContent(), /road/);
    await drop(page, "notes.txt", Buffer.from("x"));
    await message(page).waitFor();
    await page.screenshot({ path: join(out, "message.png") });
  }));

await test("weights of the user's own", () =>
  onPage(browser, {}, async (page) => {
    await nextPicture(page, () => drop(page, "mine.safetensors", own));
    assert.equal(await text(page, "network-name"), "mine.safetensors");
    assert.match(await page.locator("#legend").textContent(), /road/);
    await nextPicture(page, () => drop(page, "bare.safetensors", withoutDescription(own)));
    assert.match(await text(page, "network-name"), /taken for tiny FCN/);
    assert.match(await page.locator("#legend").textContent(), /class 0/);
    const folder = mkdtempSync(join(tmpdir(), "weights-"));
    try {
      writeFileSync(join(folder, "chosen.safetensors"), own);
      await nextPicture(page, () => page.setInputFiles("#weights", join(folder, "chosen.safetensors")));
      assert.equal(await text(page, "network-name"), "chosen.safetensors");
      writeFileSync(join(folder, "photo.png"), png(300, 200));
      await nextPicture(page, () => page.setInputFiles("#picture", join(folder, "photo.png")));
      assert.equal(await text(page, "size"), "256 × 171");
      await nextPicture(page, () => page.selectOption("#longest", "384"));
      assert.equal(await text(page, "size"), "300 × 200");
    } finally {
      rmSync(folder, { recursive: true });
    }
  }));

await test("keys, legend, pointer", () =>
  onPage(browser, {}, async (page) => {
    await nextPicture(page, () => page.keyboard.press("n"));
    await page.keyboard.press("b");
    await page.locator("#blend").waitFor();
    assert.equal(await page.locator("#views").isVisible(), false);
    await page.selectOption("#top", "edge");
    await page.screenshot({ path: join(out, "blended.png") });
    await page.keyboard.press("b");
    await page.locator("#views").waitFor();
    // Every control is reached by the tabulator.
    const reached = new Set();
    await page.evaluate(() => document.activeElement.blur());
    for (let presses = 0; presses < 40; presses++) {
      await page.keyboard.press("Tab");
      reached.add(await page.evaluate(() => document.activeElement.id || document.activeElement.name || document.activeElement.title));
    }
    for (const control of ["next", "picture", "camera", "weights", "device", "layout", "longest", "road", "car"]) {
      assert.ok(reached.has(control), `${control} is not among ${[...reached]}`);
    }
    const pixels = () => page.evaluate(() => document.querySelector("[data-view=segmentation] canvas").toDataURL());
    const before = await pixels();
    await page.hover("#legend li:nth-child(8) button");
    assert.notEqual(await pixels(), before, "one class is lit");
    await page.hover("h1");
    await page.evaluate(() => document.activeElement.blur());
    assert.equal(await pixels(), before);
    await page.hover("[data-view=input] .stack");
    assert.match(await text(page, "pixel"), /^\(\d+, \d+\) \w+, \d+ % sure · the body alone: \w+ · edge \d+ %$/);
    const shares = await page.locator("#legend .share").allTextContents();
    const sum = shares.reduce((sum, share) => sum + parseFloat(share), 0);
    assert.ok(Math.abs(sum - 100) < 0.6, `shares sum to ${sum}`);
  }));

await test("the camera", () =>
  onPage(browser, {}, async (page) => {
    await nextPicture(page, () => page.keyboard.press("c"));
    await nextPicture(page, () => {});
    assert.equal(await page.getAttribute("#camera", "aria-pressed"), "true");
    await page.click("#camera");
    assert.equal(await page.getAttribute("#camera", "aria-pressed"), "false");
    // The last frame stays.
    await nextPicture(page, () => page.selectOption("#longest", "384"));
  }));

await test("dark", () =>
  onPage(browser, { colorScheme: "dark" }, (page) => page.screenshot({ path: join(out, "dark.png"), fullPage: true })));

await test("on a phone", () =>
  onPage(browser, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true }, async (page) => {
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
    await page.screenshot({ path: join(out, "phone.png"), fullPage: true });
  }));

await browser.close();
browser = await launch(["--disable-features=WebGPU,WebGPUService"]);
await test("without WebGPU", () =>
  onPage(browser, {}, async (page) => {
    await page.click("[name=device][value=gpu]");
    await message(page).waitFor();
    assert.match(await message(page).textContent(), /WebGPU.*the CPU is used/);
    assert.ok(await page.locator("[name=device][value=cpu]").isChecked());
    await nextPicture(page, () => page.click("#next"));
  }));

await browser.close();
server.removeAllListeners("exit");
server.kill();
console.log(JSON.stringify(figures, null, 2));
writeFileSync(join(out, "figures.json"), JSON.stringify(figures, null, 2));
if (failures.length > 0) {
  console.log(`${failures.length} failed: ${failures.join(", ")}`);
  process.exit(1);
}
