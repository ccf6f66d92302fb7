// Takes pictures of a page: picture.mjs PAGE PREFIX writes PREFIX-1280-light.png and three more.
import { writeFileSync } from "node:fs";
import { Browser } from "./browser.mjs";

const [, , page, prefix] = process.argv;
const browser = new Browser();
try {
  await browser.open(page);
  for (const [width, height] of [[1280, 1000], [390, 1400]]) {
    for (const scheme of ["light", "dark"]) {
      await browser.show(scheme, width, height);
      const { data } = await browser.send("Page.captureScreenshot", { format: "png" });
      writeFileSync(`${prefix}-${width}-${scheme}.png`, Buffer.from(data, "base64"));
    }
  }
  if (browser.problems.length) throw new Error(browser.problems.join("; "));
} finally {
  await browser.end();
}
