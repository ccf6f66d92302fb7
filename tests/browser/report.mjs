// Loads a report in a real browser through its debugging port: no error on the console, the result and
// both charts drawn, and nothing wider than a phone's screen.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import assert from "node:assert/strict";

const report = pathToFileURL(resolve(process.argv[2])).href;
const profile = mkdtempSync(join(tmpdir(), "boltbouncer-browser-"));
const flags = [
  "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
  "--disable-background-networking", "--disable-component-update", "--remote-debugging-pipe",
  `--user-data-dir=${profile}`,
];
// The browser's helpers share its standard error and write into the profile: only when the last of
// them has closed it ("close", not "exit") may the profile be removed.
const browser = spawn(process.env.CHROMIUM ?? "chromium", flags, {
  stdio: ["ignore", "ignore", "pipe", "pipe", "pipe"],
  detached: true,
});
browser.stderr.resume();
const closed = new Promise((done) => browser.on("close", done));

// Commands and events are JSON, each ended by a zero byte.
let nextId = 0;
let buffer = "";
const waiting = new Map();
const problems = [];
let session;
let loaded;
const isLoaded = new Promise((done) => (loaded = done));

browser.stdio[4].on("data", (data) => {
  const parts = (buffer + data).split("\0");
  buffer = parts.pop();
  parts.map((part) => JSON.parse(part)).forEach(receive);
});

function receive(message) {
  if (message.id !== undefined) {
    const { resolve, reject } = waiting.get(message.id);
    if (message.error) reject(new Error(message.error.message));
    else resolve(message.result);
  } else if (message.method === "Page.loadEventFired") {
    loaded();
  } else if (message.method === "Runtime.exceptionThrown") {
    problems.push(message.params.exceptionDetails.text);
  } else if (message.method === "Log.entryAdded" && ["error", "warning"].includes(message.params.entry.level)) {
    problems.push(message.params.entry.text);
  } else if (message.method === "Network.requestWillBeSent") {
    const { url } = message.params.request;
    if (url !== report && !url.startsWith("data:")) problems.push(`the page asks for ${url}`);
  }
}

function send(method, params = {}) {
  const id = nextId++;
  browser.stdio[3].write(JSON.stringify({ id, method, params, sessionId: session }) + "\0");
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

async function evaluate(expression) {
  const { result } = await send("Runtime.evaluate", { expression, returnByValue: true });
  return result.value;
}

const VISIBLE_CHARTS = `[...document.querySelectorAll(".chart svg")].filter((svg) => svg.getBoundingClientRect().width > 0).length`;
const OVERFLOW = `document.documentElement.scrollWidth - document.documentElement.clientWidth`;
const GROUND = `getComputedStyle(document.body).backgroundColor`;

try {
  const { targetId } = await send("Target.createTarget", { url: "about:blank" });
  session = (await send("Target.attachToTarget", { targetId, flatten: true })).sessionId;
  await Promise.all(["Page", "Runtime", "Log", "Network"].map((domain) => send(`${domain}.enable`)));
  await send("Page.navigate", { url: report });
  await isLoaded;

  const grounds = [];
  for (const scheme of ["light", "dark"]) {
    await send("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
    for (const width of [360, 1200]) {
      await send("Emulation.setDeviceMetricsOverride", { width, height: 800, deviceScaleFactor: 1, mobile: width < 600 });
      assert.equal(await evaluate(VISIBLE_CHARTS), 3, `charts at ${width} pixels`);
      assert.equal(await evaluate(OVERFLOW), 0, `the page is wider than ${width} pixels`);
    }
    grounds.push(await evaluate(GROUND));
  }
  assert.notEqual(grounds[0], grounds[1], "dark looks like light");
  assert.ok((await evaluate("document.title")).length > 0);
  assert.deepEqual(problems, []);
  console.log("the report loads without errors, in light and dark, from 360 to 1200 pixels");
} finally {
  process.kill(-browser.pid, "SIGKILL");
  await closed;
  rmSync(profile, { recursive: true, force: true });
}
