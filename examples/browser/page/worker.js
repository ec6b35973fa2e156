// Runs the network beside the page, so that the page stays alive. Each message has an `id`; so has its answer.

import init, { Session, drawScene, drawWheel } from "./pkg/decoupled_seg_browser.js";

let memory;
let session;

// The program calls this before it stops for good: the page then starts another worker.
globalThis.reportPanic = (message) => {
  postMessage({ stopped: message });
};

const jobs = {
  async start() {
    memory = (await init()).memory;
  },

  load({ name, bytes }) {
    const next = new Session(name, new Uint8Array(bytes));
    session?.free();
    session = next;
    return JSON.parse(session.describe());
  },

  // Answers with the name of the adapter.
  async gpu() {
    if (!navigator.gpu) {
      throw new Error("This browser has no WebGPU here; the CPU is used. WebGPU needs a recent browser, and a page from https or localhost.");
    }
    const adapter = await navigator.gpu.requestAdapter({ powerPreference: "high-performance" });
    if (!adapter) {
      throw new Error("This browser has WebGPU, but no adapter for it on this machine; the CPU is used.");
    }
    await session.prepareGpu();
    const { vendor, architecture, description } = adapter.info ?? {};
    return description || [vendor, architecture].filter(Boolean).join(" ") || "WebGPU";
  },

  scene({ index, width, height }) {
    return taken(drawScene(index, width, height));
  },

  wheel({ side }) {
    return taken(drawWheel(side));
  },

  // Reads a picture (a file, or a frame of the camera) at the working size.
  async read({ source, name, longest, leastSide }) {
    let bitmap;
    try {
      bitmap = source instanceof ImageBitmap ? source : await createImageBitmap(source);
    } catch {
      throw new Error(`“${name}” is no picture that this browser can read. PNG, JPEG and WebP are.`);
    }
    const { width, height } = fitted(bitmap, longest, leastSide, name);
    const canvas = new OffscreenCanvas(width, height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    // What is transparent becomes white.
    context.fillStyle = "white";
    context.fillRect(0, 0, width, height);
    context.imageSmoothingQuality = "high";
    context.drawImage(bitmap, 0, 0, width, height);
    bitmap.close();
    return { width, height, rgba: context.getImageData(0, 0, width, height).data };
  },

  async segment({ rgba, width, height, gpu, views, logits }) {
    const start = performance.now();
    const shown = await session.segment(new Uint8Array(rgba.buffer), width, height, gpu);
    const segmented = performance.now();
    const result = {
      labels: shown.labels(),
      body: shown.body(),
      confidence: shown.confidence(),
      edge: shown.edge(),
      shares: shown.shares(),
      logits: logits ? shown.logits() : undefined,
      pictures: views.map((view) => taken(shown.draw(view))),
    };
    shown.free();
    return {
      ...result,
      networkTime: segmented - start,
      drawingTime: performance.now() - segmented,
      macs: session.macs(width, height),
      memory: memory.buffer.byteLength,
    };
  },
};

function fitted({ width, height }, longest, leastSide, name) {
  const scale = Math.min(1, longest / Math.max(width, height));
  const size = { width: Math.round(width * scale), height: Math.round(height * scale) };
  if (Math.min(size.width, size.height) < leastSide) {
    const small = `${Math.max(1, size.width)} × ${Math.max(1, size.height)}`;
    throw new Error(
      `“${name}” has ${width} × ${height} pixels. At this working size ${small} are left, and the network needs at least ` +
        `${leastSide} on each side. Cut out a part of it, or choose a larger working size.`,
    );
  }
  return size;
}

// The bytes of a picture of the program's, which is freed.
function taken(drawn) {
  if (!drawn) {
    return undefined;
  }
  const picture = { width: drawn.width, height: drawn.height, rgba: new Uint8ClampedArray(drawn.rgba().buffer) };
  drawn.free();
  return picture;
}

// One job at a time: the next waits for the last.
let last = Promise.resolve();
onmessage = ({ data: { id, job, ...rest } }) => {
  last = last.then(async () => {
    try {
      postMessage({ id, value: await jobs[job](rest) });
    } catch (error) {
      postMessage({ id, error: error?.message ?? String(error) });
    }
  });
};
