// Loads a report in a real browser: no error on the console, the result and both charts drawn, nothing wider
// than a phone's screen, values that the keyboard reaches, and everything unfolded on paper.
import assert from "node:assert/strict";
import { Browser } from "./browser.mjs";

const VISIBLE_CHARTS = `[...document.querySelectorAll(".chart svg")].filter((svg) => svg.getBoundingClientRect().width > 0).length`;
const OVERFLOW = `document.documentElement.scrollWidth - document.documentElement.clientWidth`;
const GROUND = `getComputedStyle(document.body).backgroundColor`;
// The first value that can be seen, and whether its text is shown.
const VALUE = `[...document.querySelectorAll(".value")].find((value) => value.getBoundingClientRect().width > 0)`;
const IS_SHOWN = `getComputedStyle(${VALUE}.querySelector("text")).visibility`;
// What is folded, as far as it can be seen.
const UNFOLDED = `[...document.querySelectorAll("details > *:not(summary)")].filter((part) => part.checkVisibility()).length`;

const browser = new Browser();
try {
  await browser.open(process.argv[2]);
  const grounds = [];
  for (const scheme of ["light", "dark"]) {
    for (const width of [360, 1200]) {
      await browser.show(scheme, width);
      assert.equal(await browser.evaluate(VISIBLE_CHARTS), 3, `charts at ${width} pixels`);
      assert.equal(await browser.evaluate(OVERFLOW), 0, `the page is wider than ${width} pixels`);
    }
    grounds.push(await browser.evaluate(GROUND));
  }
  assert.notEqual(grounds[0], grounds[1], "dark looks like light");
  assert.equal(await browser.evaluate(IS_SHOWN), "hidden");
  await browser.evaluate(`${VALUE}.focus()`);
  assert.equal(await browser.evaluate(IS_SHOWN), "visible", "the keyboard shows no value");
  assert.match(await browser.evaluate(`document.title`), /^The same \d+ tasks/);
  assert.equal(await browser.evaluate(UNFOLDED), 0, "something is not folded");
  await browser.send("Emulation.setEmulatedMedia", { media: "print" });
  assert.ok((await browser.evaluate(UNFOLDED)) > 5, "paper lacks what is folded");
  await browser.show("light", 1200);
  await browser.evaluate(`document.querySelectorAll("details").forEach((part) => (part.open = true))`);
  assert.ok((await browser.evaluate(UNFOLDED)) > 5, "nothing can be unfolded");
  assert.equal(await browser.evaluate(OVERFLOW), 0, "the unfolded page is too wide");
  assert.deepEqual(browser.problems, []);
  console.log("the report loads without errors, in light and dark, from 360 to 1200 pixels");
} finally {
  await browser.end();
}
