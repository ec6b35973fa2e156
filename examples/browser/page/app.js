// The page: what was chosen, what is shown.

import { Session, StoppedError } from "./session.js";
import { Views } from "./views.js";
import { Legend } from "./legend.js";

const OWN_WEIGHTS = "street_scenes.safetensors";
/** Height and width of drawn scenes are 1 to 2, as those are that the network learned from. */
const SCENE_RATIO = 0.5;

const $ = (id) => document.getElementById(id);
export const session = new Session();
const views = new Views($("views"), $("blend"), $("top"), $("opacity"));
const legend = new Legend($("legend"), (label) => views.highlight(label));

/** What is chosen. `picture` gives pixels at the working size: it is asked again when the size changes. */
const chosen = { picture: undefined, scene: 0, gpu: false, camera: undefined };
/** The weights in use: their name, bytes, and what the program says about them. */
let weights;
/** The last result and its picture. */
let shown;

// --- messages

function say(text) {
  $("status").textContent = text;
}

function complain(error) {
  $("message").querySelector("p").textContent = error.message;
  $("message").hidden = false;
  say("");
}

function forget() {
  $("message").hidden = true;
}

// --- work

/** One piece of work at a time; of those that wait, the newest. */
let running;
let waiting;
function work(task) {
  if (running) {
    waiting?.resolve();
    return new Promise((resolve) => { waiting = { task, resolve }; });
  }
  running = attempt(task).finally(() => {
    running = undefined;
    const next = waiting;
    waiting = undefined;
    if (next) {
      work(next.task).then(next.resolve);
    }
  });
  return running;
}

async function attempt(task) {
  try {
    await task();
  } catch (error) {
    complain(error);
    if (error instanceof StoppedError) {
      await restart();
    }
  }
}

/** After the program stopped: a new worker with the same weights, on the CPU. */
async function restart() {
  stopCamera();
  try {
    await session.start();
    if (weights) {
      await use(weights.name, weights.bytes);
    }
  } catch (error) {
    complain(error);
  }
}

/** Loads weights; if that fails, those of before stay. */
async function use(name, bytes) {
  const description = await session.do("load", { name, bytes });
  weights = { name, bytes, ...description };
  chooseDevice(false);
  views.setClasses(weights.classes);
  legend.setClasses(weights.classes);
  const { guess, parameters } = weights;
  $("network-name").textContent = guess ? `${name}: taken for ${guess}` : name;
  $("network-size").textContent = `${number(parameters / 1e6)} M parameters, ${number(bytes.byteLength / 1e6)} MB`;
}

async function show() {
  const { picture, gpu } = chosen;
  const input = await picture(Number($("longest").value));
  if (!chosen.camera) {
    say(`Segmenting ${input.width} × ${input.height} pixels…`);
  }
  const result = await session.do("segment", { ...input, gpu, views: views.names });
  shown = { input, ...result };
  views.show(shown);
  legend.setShares(result.shares);
  $("size").textContent = `${input.width} × ${input.height}`;
  $("network-time").textContent = `${result.networkTime.toFixed(0)} ms`;
  $("drawing-time").textContent = `${result.drawingTime.toFixed(0)} ms`;
  const { parameters, bytes } = weights;
  $("network-size").textContent =
    `${number(parameters / 1e6)} M parameters, ${number(bytes.byteLength / 1e6)} MB, ` +
    `${number(result.macs / 1e9)} G multiplications`;
  document.body.dataset.shown = String(Number(document.body.dataset.shown ?? 0) + 1);
  say("");
}

function number(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

function choose(picture) {
  stopCamera();
  forget();
  const before = chosen.picture;
  chosen.picture = picture;
  return work(async () => {
    try {
      await show();
    } catch (error) {
      // The picture before is still there, and the controls act on it.
      if (chosen.picture === picture && before) {
        chosen.picture = before;
      }
      throw error;
    }
  });
}

function scenePicture(index) {
  return (longest) =>
    session.do("scene", { index, width: longest, height: Math.round(longest * SCENE_RATIO) });
}

function filePicture(file) {
  return (longest) =>
    session.do("read", { source: file, name: file.name, longest, leastSide: weights.leastSide });
}

/** A file that was dropped or chosen: weights by their ending, or a picture. */
async function take(file) {
  if (!file) {
    return;
  }
  if (/\.(safetensors|pth|pt|onnx|bin|ckpt)$/i.test(file.name)) {
    forget();
    say(`Reading ${file.name}…`);
    await work(async () => {
      await use(file.name, await file.arrayBuffer());
      await show();
    });
  } else {
    await choose(filePicture(file));
  }
}

// --- device

function chooseDevice(gpu, name) {
  chosen.gpu = gpu;
  $("device-name").textContent = gpu ? `WebGPU: ${name}` : "CPU, one thread";
  document.querySelector(`[name=device][value=${gpu ? "gpu" : "cpu"}]`).checked = true;
}

function switchDevice(gpu) {
  forget();
  return work(async () => {
    if (gpu) {
      say("Preparing WebGPU: the first picture takes longer…");
      try {
        chooseDevice(true, await session.do("gpu"));
      } catch (error) {
        chooseDevice(false);
        throw error;
      }
    } else {
      chooseDevice(false);
    }
    await show();
  });
}

// --- camera

async function startCamera() {
  forget();
  const video = $("video");
  try {
    if (!navigator.mediaDevices) {
      throw new Error("the browser allows it on pages from https or localhost only");
    }
    chosen.camera = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    video.srcObject = chosen.camera;
    await video.play();
  } catch (error) {
    stopCamera();
    complain(new Error(`The camera cannot be used: ${error.message}`));
    return;
  }
  $("camera").setAttribute("aria-pressed", "true");
  chosen.picture = async (longest) => {
    const source = await createImageBitmap(video);
    return session.do(
      "read",
      { source, name: "the camera", longest, leastSide: weights.leastSide },
      [source],
    );
  };
  const stream = chosen.camera;
  while (chosen.camera === stream) {
    await work(show);
    if (!$("message").hidden) {
      stopCamera();
    }
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  if (!chosen.camera) {
    return;
  }
  for (const track of chosen.camera.getTracks()) {
    track.stop();
  }
  chosen.camera = undefined;
  $("video").srcObject = null;
  $("camera").setAttribute("aria-pressed", "false");
  // The last frame stays, as a picture.
  const frame = shown?.input;
  if (frame) {
    chosen.picture = async () => frame;
  }
}

// --- controls

function nextScene() {
  return choose(scenePicture(chosen.scene++));
}

function toggleCamera() {
  return chosen.camera ? stopCamera() : startCamera();
}

$("next").onclick = nextScene;
$("camera").onclick = toggleCamera;
for (const id of ["picture", "weights"]) {
  $(id).onchange = ({ target }) => {
    take(target.files[0]);
    // The same file may be chosen again.
    target.value = "";
  };
}
$("longest").onchange = () => {
  forget();
  work(show);
};
$("message").querySelector("button").onclick = forget;
for (const radio of document.querySelectorAll("[name=device]")) {
  radio.onchange = () => switchDevice(radio.value === "gpu");
}
for (const radio of document.querySelectorAll("[name=layout]")) {
  radio.onchange = () => views.setBlended(radio.value === "blend");
}

addEventListener("keydown", (event) => {
  const typing = event.target.matches?.("input:not([type=radio], [type=range]), select, textarea");
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || typing) {
    return;
  }
  const other = (name) => document.querySelector(`[name=${name}]:not(:checked)`);
  const keys = {
    n: nextScene,
    c: toggleCamera,
    d: () => other("device").click(),
    b: () => other("layout").click(),
    escape: forget,
  };
  keys[event.key.toLowerCase()]?.();
});

views.onpoint = (pixel) => {
  $("pixel").textContent = pixel && shown ? told(pixel) : "Point at a picture to read its pixels.";
};

/** What the network says about a pixel, in words. */
function told({ x, y }) {
  const at = y * shown.input.width + x;
  const percent = (share) => `${Math.round(100 * share)} %`;
  const name = (label) => weights.classes[label].name;
  const words = [`(${x}, ${y}) ${name(shown.labels[at])}, ${percent(shown.confidence[at])} sure`];
  if (shown.body) {
    words.push(`the body alone: ${name(shown.body[at])}`);
  }
  if (shown.edge) {
    words.push(`edge ${percent(shown.edge[at])}`);
  }
  return words.join(" · ");
}

let depth = 0;
const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
addEventListener("dragenter", (event) => {
  if (hasFiles(event)) {
    depth += 1;
    $("drop").hidden = false;
  }
});
addEventListener("dragleave", (event) => {
  if (hasFiles(event) && --depth === 0) {
    $("drop").hidden = true;
  }
});
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  event.preventDefault();
  depth = 0;
  $("drop").hidden = true;
  take(event.dataTransfer.files[0]);
});

// --- start

await attempt(async () => {
  const own = fetch(OWN_WEIGHTS).then(async (answer) => {
    if (!answer.ok) {
      throw new Error(`${OWN_WEIGHTS} is not there (${answer.status}).`);
    }
    return answer.arrayBuffer();
  });
  const [bytes] = await Promise.all([own, session.start()]);
  await use(OWN_WEIGHTS, bytes);
  views.setWheel(await session.do("wheel", { side: 64 }));
  await nextScene();
});
document.body.dataset.ready = "yes";
