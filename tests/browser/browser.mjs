// A real browser, driven through its debugging port.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

export class Browser {
  // What the page complained of, or asked for from elsewhere.
  problems = [];
  #nextId = 0;
  #buffer = "";
  #waiting = new Map();
  #session;
  #page;
  #loaded;

  constructor() {
    this.profile = mkdtempSync(join(tmpdir(), "boltbouncer-browser-"));
    const flags = [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
      "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
      "--hide-scrollbars", `--user-data-dir=${this.profile}`,
    ];
    // The browser's helpers share its standard error and write into the profile: only when the last of
    // them has closed it ("close", not "exit") may the profile be removed.
    this.process = spawn(process.env.CHROMIUM ?? "chromium", flags, {
      stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
      detached: true,
    });
    this.process.stderr.resume();
    this.closed = new Promise((done) => this.process.on("close", done));
    // Commands and events are JSON, each ended by a zero byte.
    this.process.stdio[4].on("data", (data) => {
      const parts = (this.#buffer + data).split("\0");
      this.#buffer = parts.pop();
      parts.map((part) => JSON.parse(part)).forEach((message) => this.#receive(message));
    });
  }

  // Opens a file of this machine.
  async open(path) {
    this.#page = pathToFileURL(resolve(path)).href;
    const isLoaded = new Promise((done) => (this.#loaded = done));
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank" });
    this.#session = (await this.send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
    await Promise.all(["Page", "Runtime", "Log", "Network"].map((domain) => this.send(`${domain}.enable`)));
    await this.send("Page.navigate", { url: this.#page });
    await isLoaded;
  }

  // "light" or "dark", and so many pixels wide; narrow ones are phones.
  async show(scheme, width, height = 800) {
    await this.send("Emulation.setEmulatedMedia", { media: "screen", features: [{ name: "prefers-color-scheme", value: scheme }] });
    const size = { width, height, deviceScaleFactor: 1, mobile: width < 600 };
    await this.send("Emulation.setDeviceMetricsOverride", size);
  }

  async evaluate(expression) {
    const { result } = await this.send("Runtime.evaluate", { expression, returnByValue: true });
    return result.value;
  }

  send(method, params = {}) {
    const id = this.#nextId++;
    this.process.stdio[3].write(JSON.stringify({ id, method, params, sessionId: this.#session }) + "\0");
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async end() {
    process.kill(-this.process.pid, "SIGKILL");
    await this.closed;
    rmSync(this.profile, { recursive: true, force: true });
  }

  #receive(message) {
    if (message.id !== undefined) {
      const { resolve, reject } = this.#waiting.get(message.id);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    } else if (message.method === "Page.loadEventFired") {
      this.#loaded();
    } else if (message.method === "Runtime.exceptionThrown") {
      this.problems.push(message.params.exceptionDetails.text);
    } else if (message.method === "Log.entryAdded" && ["error", "warning"].includes(message.params.entry.level)) {
      this.problems.push(message.params.entry.text);
    } else if (message.method === "Network.requestWillBeSent") {
      const { url } = message.params.request;
      if (url !== this.#page && !url.startsWith("data:")) this.problems.push(`the page asks for ${url}`);
    }
  }
}
