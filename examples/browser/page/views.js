// The pictures: side by side, or one over the input; a mark at the pixel that is pointed at; one class lit.

const VIEWS = [
  ["segmentation", "the class of each pixel"],
  ["body", "the classes as the smooth inside sees them"],
  ["edge", "the probability of an edge"],
  ["flow", "where each pixel is pulled to"],
  ["confidence", "the probability of the class"],
];
const INPUT = ["input", "what the network gets"];
/** How much of a picture is left where another class is lit. */
const DIM = 0.15;

export class Views {
  /** The views that the program draws. */
  names = VIEWS.map(([name]) => name);
  /** Called with the pixel that is pointed at, or nothing. */
  onpoint = () => {};

  #figures = new Map();
  #blend;
  #top;
  #opacity;
  #shown;
  #label;
  #blended = false;

  constructor(grid, blend, top, opacity) {
    this.#blend = { section: blend, below: blend.querySelector("#below"), above: blend.querySelector("#above") };
    this.#top = top;
    this.#opacity = opacity;
    for (const [name, what] of [INPUT, ...VIEWS]) {
      const figure = document.createElement("figure");
      figure.dataset.view = name;
      figure.innerHTML = `<figcaption><b></b><span></span></figcaption><div class="stack"><canvas role="img"></canvas></div>`;
      figure.querySelector("b").textContent = name;
      figure.querySelector("span").textContent = what;
      const canvas = figure.querySelector("canvas");
      canvas.setAttribute("aria-label", `${name}: ${what}`);
      grid.append(figure);
      this.#figures.set(name, { figure, canvas });
      this.#follow(figure.querySelector(".stack"));
    }
    for (const [name] of VIEWS) {
      top.add(new Option(name));
    }
    this.#follow(this.#blend.section.querySelector(".stack"));
    top.onchange = () => this.#draw();
    opacity.oninput = () => this.#draw();
  }

  setBlended(blended) {
    this.#blended = blended;
    this.#blend.section.hidden = !blended;
    this.#figures.get("input").figure.parentElement.hidden = blended;
    this.#draw();
  }

  setClasses() {
    this.#label = undefined;
  }

  /** Puts the wheel of directions beside the flow. */
  setWheel(wheel) {
    const canvas = document.createElement("canvas");
    canvas.title = "the colour of each direction";
    paint(canvas, wheel);
    this.#figures.get("flow").figure.querySelector("figcaption").append(canvas);
  }

  /** Shows a result: its input, and a picture for each name. */
  show(shown) {
    this.#shown = shown;
    this.#draw();
  }

  /** Lights one class; nothing lights all. */
  highlight(label) {
    this.#label = label;
    this.#draw();
  }

  #draw() {
    if (!this.#shown) {
      return;
    }
    const { input } = this.#shown;
    if (this.#blended) {
      const { below, above } = this.#blend;
      below.parentElement.style.aspectRatio = `${input.width} / ${input.height}`;
      paint(below, input);
      const picture = this.#picture(this.#top.value);
      above.hidden = !picture;
      if (picture) {
        paint(above, picture);
      }
      above.style.opacity = `${this.#opacity.value}%`;
      below.setAttribute("role", "img");
      below.setAttribute("aria-label", `input, with ${this.#top.value} over it`);
      return;
    }
    for (const [name, { figure, canvas }] of this.#figures) {
      const picture = name === "input" ? input : this.#picture(name);
      figure.classList.toggle("absent", !picture);
      canvas.parentElement.style.aspectRatio = `${input.width} / ${input.height}`;
      if (picture) {
        paint(canvas, picture);
      }
    }
  }

  /** The picture of a view, with one class lit where it shows classes. */
  #picture(name) {
    const picture = this.#shown.pictures[this.names.indexOf(name)];
    const labels = { segmentation: this.#shown.labels, body: this.#shown.body }[name];
    if (this.#label === undefined || !picture || !labels) {
      return picture;
    }
    const rgba = picture.rgba.slice();
    for (const [pixel, label] of labels.entries()) {
      if (label !== this.#label) {
        for (let at = 4 * pixel; at < 4 * pixel + 3; at++) {
          rgba[at] *= DIM;
        }
      }
    }
    return { ...picture, rgba };
  }

  /** Marks the pixel under the pointer in all pictures. */
  #follow(stack) {
    stack.addEventListener("pointermove", (event) => {
      const box = stack.getBoundingClientRect();
      const x = (event.clientX - box.left) / box.width;
      const y = (event.clientY - box.top) / box.height;
      this.#mark(x, y);
    });
    stack.addEventListener("pointerleave", () => this.#mark());
  }

  #mark(x, y) {
    const inside = this.#shown && x >= 0 && x < 1 && y >= 0 && y < 1;
    for (const stack of document.querySelectorAll(".stack")) {
      stack.style.setProperty("--x", inside ? `${100 * x}%` : "-10%");
      stack.style.setProperty("--y", inside ? `${100 * y}%` : "-10%");
    }
    const { width, height } = this.#shown?.input ?? {};
    this.onpoint(inside ? { x: Math.floor(x * width), y: Math.floor(y * height) } : undefined);
  }
}

function paint(canvas, { width, height, rgba }) {
  if (canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
  }
  canvas.getContext("2d").putImageData(new ImageData(rgba, width, height), 0, 0);
}
