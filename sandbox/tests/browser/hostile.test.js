// A mail that tries everything must reach nothing: not the network, not the page, not the inbox.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { startBrowser, startInbox, startListener } from "./server.js";

describe("a hostile mail", () => {
  let inbox, browser, target, elsewhere, page, otherTab, id;
  const popups = [];

  before(async () => {
    target = await startListener();
    elsewhere = await startListener();
    inbox = await startInbox(target.url);
    browser = await startBrowser();
    page = browser.context.pages()[0];
    otherTab = await browser.context.newPage();
    await page.bringToFront();
    browser.context.on("page", (popup) => popups.push(popup.url()));
    page.on("dialog", (dialog) => popups.push(dialog.message()));
    const { mails } = await (await fetch(`${inbox.url}api/mails?search=tries`)).json();
    id = mails[0].id;
  });

  beforeEach(() => {
    target.hits = [];
    popups.length = 0;
  });

  after(async () => {
    await browser?.stop();
    await inbox?.stop();
    await target?.stop();
    await elsewhere?.stop();
  });

  /**
   * Lets everything happen that the mail has set in motion: what is painted is loaded, and the refresh after 0 seconds
   * is due. At last another tab goes elsewhere: the browser had the time to get there, so the mail had it too.
   */
  const settle = async () => {
    await page.waitForLoadState("networkidle");
    await page.screenshot();
    await otherTab.goto(elsewhere.url);
    await otherTab.goto("about:blank");
  };

  const reachesNothing = async (address) => {
    await settle();
    assert.deepEqual(target.hits, []);
    assert.deepEqual(popups, []);
    assert.equal(page.url(), address);
    const listing = await (await fetch(`${inbox.url}api/mails`)).json();
    assert.equal(listing.total, 6, "no mail is gone");
  };

  test("would reach the listener if nothing held it back", async () => {
    // The proof that the other tests can fail: the same HTML as an ordinary page, in a browser of its own, because
    // browsers remember what a page loads and connect to it beforehand.
    const { html } = await (await fetch(`${inbox.url}api/mails/${id}`)).json();
    const ordinary = await startListener(html.replace(/<meta http-equiv="refresh".*?>/, "").replace("top.location", "top.x"));
    const careless = await startBrowser();
    await careless.context.pages()[0].goto(ordinary.url, { waitUntil: "networkidle" });
    await careless.stop();
    await ordinary.stop();
    const reached = new Set(target.hits);
    for (const path of ["script.js", "stylesheet.css", "import.css", "base/relative-image.png", "image.png", "srcset.png", "picture.png",
      "svg-image.png", "iframe", "body-background.png", "style-attribute.png", "fetch", "prefetch", "preload.png", "input-image.png", "poster.png"]) {
      assert.ok(reached.has(`GET /${path}`), `${path} is not among ${[...reached].join(", ")}`);
    }
    assert.ok(reached.has("POST /beacon") && reached.has("connection"));
  });

  test("reaches nothing from any tab", async () => {
    for (const tab of ["html", "text", "source", "headers", "attachments", "delivery"]) {
      const address = `${inbox.url}#/${id}/${tab}`;
      await page.goto(address);
      await page.getByRole("tabpanel").waitFor();
      await reachesNothing(address);
      assert.equal(await page.title(), "(6) Sandbox inbox");
    }
  });

  test("reaches nothing when its HTML is opened by itself", async () => {
    const address = `${inbox.url}api/mails/${id}/html`;
    await page.goto(address);
    await page.getByText("You have won").waitFor();
    await reachesNothing(address);
    assert.equal(await page.title(), "", "no script has set a title");
  });

  test("reaches nothing by a set of frames", async () => {
    const [, frames] = (await inbox.run("deliver frames")).split(" ");
    const address = `${inbox.url}#/${frames}/html`;
    await page.goto(address);
    await page.getByRole("tabpanel").waitFor();
    await settle();
    await fetch(`${inbox.url}api/mails/${frames}`, { method: "DELETE" });
    await reachesNothing(address);
  });

  for (const link of ["top", "self", "blank", "javascript", "relative"]) {
    test(`leads nowhere by its ${link} link`, () => reachesNothingBy(`#${link}`));
  }

  for (const button of ["submit", "formaction", "form-script"]) {
    test(`sends nothing by its ${button} button`, () => reachesNothingBy(`#${button}`));
  }

  async function reachesNothingBy(selector) {
    const address = `${inbox.url}#/${id}/html`;
    await page.goto("about:blank");
    await page.goto(address);
    await clickInFrame(selector);
    await settle();
    // For a link the user clicks, Chromium connects before the policy forbids the way. It sends nothing.
    target.hits = target.hits.filter((hit) => hit !== "connection");
    await reachesNothing(address);
    assert.equal(await page.title(), "(6) Sandbox inbox");
  }

  /** Clicks where the user would; the frame is scaled, so its pixels are not the page's. */
  async function clickInFrame(selector) {
    const frame = await page.locator("iframe").first().elementHandle();
    const mail = await frame.contentFrame();
    await mail.waitForSelector(selector);
    // The page may still be settling between the look and the press: a press beside the mark is taken back.
    for (let attempt = 0; attempt < 30; attempt += 1) {
      if (await presses(frame, mail, selector)) {
        await page.mouse.up();
        return;
      }
      await page.mouse.move(0, 0);
      await page.mouse.up();
    }
    assert.fail(`no click hits ${selector}`);
  }

  async function presses(frame, mail, selector) {
    const inside = await mail.$eval(selector, (element) => {
      element.scrollIntoView({ block: "center" });
      const { x, y, width, height } = element.getClientRects()[0];
      return { x: x + width / 2, y: y + height / 2 };
    });
    const box = await frame.boundingBox();
    const scale = box.width / (await frame.evaluate((element) => element.offsetWidth));
    await page.mouse.move(box.x + inside.x * scale, box.y + inside.y * scale);
    await page.mouse.down();
    return (await mail.evaluate(() => `#${document.activeElement.id}`)) === selector;
  }

  test("shows its own image, and no drawing that could run", async () => {
    await page.goto("about:blank");
    await page.goto(`${inbox.url}#/${id}/html`);
    const mail = page.frameLocator("iframe").first();
    await mail.locator("#inline").waitFor({ state: "attached" });
    assert.match(await mail.locator("#inline").getAttribute("src"), /^data:image\/png;base64,/);
    const drawings = await mail.locator("img[src='cid:drawing@evil.test']").count();
    assert.equal(drawings, 1, "the SVG is left out");
  });

  test("is words in the list and above its tabs", async () => {
    await page.goto(`${inbox.url}#/${id}`);
    const heading = page.getByRole("heading", { level: 2 });
    assert.match(await heading.innerText(), /^<script>fetch\("http/);
    assert.match(await page.locator("#list").innerText(), /<img src=.* onerror=alert\(1\)>/);
    const made = await page.evaluate(() => document.querySelectorAll("main img, main script, main [onerror]").length);
    assert.equal(made, 0);
  });

  test("cannot make another site read the inbox", async () => {
    const otherSite = await startListener(`<img id=image src="${inbox.url}icon.svg"><iframe src="${inbox.url}"></iframe>`);
    await page.goto(otherSite.url);
    const read = await page.evaluate(async (url) => {
      const attempt = (path, options) => fetch(url + path, options).then(() => "read", () => "refused");
      return {
        list: await attempt("api/mails"),
        blind: await fetch(`${url}api/mails/1/source`, { mode: "no-cors" }).then((answer) => answer.type, () => "refused"),
        clear: await attempt("api/mails", { method: "DELETE" }),
        image: document.getElementById("image").naturalWidth,
      };
    }, inbox.url);
    assert.deepEqual(read, { list: "refused", blind: "refused", clear: "refused", image: 0 });
    const frame = page.frames().find((frame) => frame !== page.mainFrame());
    assert.equal(await frame.locator("#list").count(), 0, "the page is not shown in a frame of another site");
    await otherSite.stop();
    const listing = await (await fetch(`${inbox.url}api/mails`)).json();
    assert.equal(listing.total, 6);
  });
});
