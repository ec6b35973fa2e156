// The classes, with the share of each; one can be lit by the pointer, the focus, or for good by a press.

export class Legend {
  #list;
  #light;
  #pressed;

  constructor(list, light) {
    this.#list = list;
    this.#light = light;
  }

  setClasses(classes) {
    this.#pressed = undefined;
    this.#list.replaceChildren(...classes.map((one, label) => this.#item(one, label)));
  }

  setShares(shares) {
    for (const [label, share] of shares.entries()) {
      const item = this.#list.children[label];
      item.querySelector(".share").textContent = `${(100 * share).toFixed(1)} %`;
      item.querySelector("meter").value = share;
    }
  }

  #item({ name, color }, label) {
    const item = document.createElement("li");
    item.innerHTML =
      '<button type="button" aria-pressed="false"><span class="swatch"></span><span class="name"></span>' +
      '<span class="share"></span><meter max="1" aria-hidden="true"></meter></button>';
    const button = item.firstElementChild;
    button.style.setProperty("--class", `rgb(${color.join(" ")})`);
    button.querySelector(".swatch").style.background = `rgb(${color.join(" ")})`;
    button.querySelector(".name").textContent = name;
    button.title = name;
    const rest = () => this.#light(this.#pressed);
    button.onpointerenter = button.onfocus = () => this.#light(label);
    button.onpointerleave = button.onblur = rest;
    button.onclick = () => {
      this.#pressed = this.#pressed === label ? undefined : label;
      for (const [at, other] of [...this.#list.children].entries()) {
        other.firstElementChild.setAttribute("aria-pressed", String(at === this.#pressed));
      }
      rest();
    };
    return item;
  }
}
