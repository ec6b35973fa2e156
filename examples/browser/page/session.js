// The page's side of the worker: a promise for each job.

/** Says that the program stopped for good: its worker has to be replaced. */
export class StoppedError extends Error {}

export class Session {
  #worker;
  #waiting = new Map();
  #nextId = 0;

  /** Starts a worker; the promise fails if the program cannot be loaded. */
  async start() {
    this.#worker?.terminate();
    this.#fail(new StoppedError("The program was started anew."));
    this.#worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
    this.#worker.onmessage = ({ data }) => this.#answer(data);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.#fail(new StoppedError(event.message ?? "The worker could not be loaded: this browser has no module workers."));
    };
    await this.do("start");
  }

  /** Has the worker do a job. `transfer` are objects that the worker takes over. */
  do(job, values = {}, transfer = []) {
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.postMessage({ id, job, ...values }, transfer);
    });
  }

  #answer({ id, value, error, stopped }) {
    if (stopped !== undefined) {
      this.#fail(new StoppedError(stopped));
      return;
    }
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) {
      waiting?.resolve(value);
    } else {
      waiting?.reject(new Error(error));
    }
  }

  #fail(error) {
    for (const { reject } of this.#waiting.values()) {
      reject(error);
    }
    this.#waiting.clear();
  }
}
