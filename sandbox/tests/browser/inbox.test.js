// The inbox as its users meet it: what arrives shows, what is looked for is found, hands on the keyboard suffice.

import assert from "node:assert/strict";
import { after, before, beforeEach, describe, test } from "node:test";
import { startBrowser, startInbox } from "./server.js";

const NOWHERE = "http://127.0.0.1:9";
const DESKTOP = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };

describe("the inbox", () => {
  let inbox, browser, page;
  const problems = [];

  before(async () => {
    browser = await startBrowser();
    page = browser.context.pages()[0];
    page.on("pageerror", (error) => problems.push(error.message));
    page.on("console", (message) => {
      // What the API refuses and what a hostile mail is denied belongs to the tests.
      const isOfPage = !message.location().url.includes("/api/");
      if (message.type() === "error" && isOfPage) problems.push(message.text());
    });
  });

  beforeEach(async (context) => {
    await page.goto("about:blank");
    await inbox?.stop();
    inbox = await startInbox(NOWHERE);
    problems.length = 0;
    await page.setViewportSize(DESKTOP);
    await page.goto(inbox.url);
    await rows(6);
    context.after(() => assert.deepEqual(problems, [], "the page complained"));
  });

  after(async () => {
    await browser?.stop();
    await inbox?.stop();
  });

  const row = (text) => page.locator("#list > li", { hasText: text });
  const tab = (name) => page.getByRole("tab", { name });
  const panel = () => page.getByRole("tabpanel");
  const rows = (count) => page.waitForFunction((n) => document.querySelectorAll("#list > li").length === n, count);
  const shown = (locator) => locator.waitFor({ state: "visible" });
  const focused = () => page.evaluate(() => document.activeElement.closest("li")?.innerText ?? document.activeElement.id);

  /** Waits for the focus: the page moves it when it has drawn, which may be a moment after the key. */
  const focusIs = async (expected) => {
    const is = (text) => (expected instanceof RegExp ? expected.test(text) : text === expected);
    for (let attempt = 0; attempt < 50 && !is(await focused()); attempt += 1) {
      await page.waitForTimeout(100);
    }
    assert.ok(is(await focused()), `the focus is on ${await focused()}, not on ${expected}`);
  };

  const open = async (text, tabName) => {
    await row(text).click();
    if (tabName) await tab(tabName).click();
    await shown(panel());
  };

  test("shows a mail the moment it arrives", async () => {
    await inbox.run("deliver alert");
    await rows(7);
    assert.match(await page.locator("#list > li").first().innerText(), /certificate of mail\.contoso\.test/);
    await shown(page.getByText("7 mails"));
    assert.equal(await page.title(), "(7) Sandbox inbox");
  });

  test("keeps what is read and what has the focus when mails arrive", async () => {
    await open("Rechnung 4711", "Text");
    await row("Fwd: minutes").locator("a").focus();
    await inbox.run("fill 20");
    await rows(26);
    await focusIs(/Fwd: minutes/);
    assert.match(await panel().innerText(), /Müller & Söhne/);
    assert.equal(await tab("Text").getAttribute("aria-selected"), "true");
  });

  test("goes on by itself when the sandbox is started again", async () => {
    await shown(page.locator("#live[data-state=live]"));
    await open("Rechnung 4711");
    await inbox.stop();
    await shown(page.locator("#live[data-state=waiting]"));
    inbox = await startInbox(NOWHERE, new URL(inbox.url).port);
    await shown(page.locator("#live[data-state=live]"));
    await inbox.run("deliver alert");
    await rows(7);
    assert.equal(await page.locator("#list > .unopened").count(), 6, "new mails under old ids are new");
  });

  test("finds mails by sender, recipient, subject and text", async () => {
    for (const [words, subject] of [
      ["hello@northwind", "Three new roasts"],
      ["CLARA@fabrikam.test müller", "Rechnung 4711"],
      ["minutes tuesday", "Fwd: minutes"],
      ["issuer internal", "certificate"],
      ["nobody@fabrikam.test", "Three new roasts"],
    ]) {
      await page.getByRole("searchbox").fill(words);
      await rows(1);
      await shown(row(subject));
      assert.equal(await page.locator("#count").innerText(), "1 of 6 mails");
    }
    await page.getByRole("searchbox").fill("no such words");
    await shown(page.getByText("Nothing matches"));
    await page.getByRole("button", { name: "Clear search" }).click();
    await rows(6);
  });

  test("looks only at mails that match when new ones arrive", async () => {
    await page.getByRole("searchbox").fill("northwind");
    await rows(1);
    await inbox.run("deliver alert");
    await shown(page.getByText("1 of 7 mails"));
    await inbox.run("deliver newsletter");
    await rows(2);
  });

  test("shows older mails on demand", async () => {
    await inbox.run("fill 230");
    await rows(100);
    await page.getByRole("button", { name: "Show older mails" }).click();
    await rows(200);
    await page.getByRole("button", { name: "Show older mails" }).click();
    await rows(236);
    assert.equal(await page.getByRole("button", { name: "Show older mails" }).isVisible(), false);
  });

  test("shows HTML at desktop and phone width side by side, with its own images", async () => {
    await open("Three new roasts");
    const [desktop, phone] = await previews();
    assert.deepEqual([desktop.contentWidth, phone.contentWidth], [700, 375]);
    assert.ok(phone.left >= desktop.right, "the frames are beside one another");
    assert.ok(phone.right <= DESKTOP.width, "both are in sight");
    for (const { image, isStacked, frame } of [desktop, phone]) {
      assert.equal(image, 64, "the inline image is loaded");
      assert.equal(isStacked, frame === "phone", "the mail's own media query answers to the frame's width");
    }
  });

  async function previews() {
    await page.waitForFunction(() => document.querySelectorAll("iframe").length === 2);
    const frames = [];
    for (const handle of await page.locator("iframe").elementHandles()) {
      const frame = await handle.contentFrame();
      await frame.waitForSelector("img");
      const { x, width } = await handle.boundingBox();
      // Scripts of the mail do not run; the test's own come from the browser's debugger.
      const inside = await frame.evaluate(async () => {
        const image = document.querySelector("img");
        await image.decode();
        return {
          contentWidth: document.documentElement.clientWidth,
          image: image.naturalWidth,
          isStacked: getComputedStyle(document.querySelector(".roast")).display === "block",
        };
      });
      frames.push({ ...inside, left: x, right: x + width, frame: frames.length ? "phone" : "desktop" });
    }
    return frames;
  }

  test("shows text, source, headers and attachments", async () => {
    await open("Rechnung 4711");
    assert.equal(await tab("Text").getAttribute("aria-selected"), "true", "without HTML, text comes first");
    assert.match(await panel().innerText(), /Rechnung für November über 1\.234,56 EUR/);
    await tab("HTML").click();
    await shown(page.getByText("This mail has no HTML part."));
    await tab("Source").click();
    await shown(panel().getByText("Subject: =?iso-8859-1?q?Rechnung_4711_f=FCr_November?="));
    await tab("Headers").click();
    await shown(panel().getByRole("row", { name: "Subject Rechnung 4711 für November" }));
    await tab("Attachments").click();
    const names = await panel().locator("strong").allInnerTexts();
    assert.deepEqual(names, ["Rechnung 4711 für November.pdf", "terms.html", "positions.csv"]);
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      page.getByRole("link", { name: "Download terms.html" }).click(),
    ]);
    assert.equal(download.suggestedFilename(), "terms.html");
  });

  test("shows how the mail came, who was refused and with what token", async () => {
    await open("Three new roasts", "Delivery");
    await shown(panel().getByRole("row", { name: "ben@fabrikam.test accepted" }));
    await shown(panel().getByRole("row", { name: /nobody@fabrikam\.test refused 550 5\.1\.10 RESOLVER/ }));
    await shown(panel().getByRole("row", { name: "scp SMTP.Send" }));
    await shown(panel().getByRole("row", { name: /^exp \w+ \d+, 20\d\d/ }));
    const text = await panel().innerText();
    for (const fact of ["<anna@contoso.test>", "BODY=8BITMIME", "BDAT", "app-7.contoso.test", "TLSv1.3", "127.0.0.1:53422"]) {
      assert.ok(text.includes(fact), fact);
    }
    await open("certificate", "Delivery");
    await shown(panel().getByText("none: the mail came in clear"));
    await shown(panel().getByText("nobody: the mail was relayed"));
  });

  test("names what is broken in a mail", async () => {
    await open("Broken");
    assert.equal(await page.getByRole("list", { name: "Damage" }).getByRole("listitem").count(), 3);
  });

  test("deletes one mail, or all when asked twice", async () => {
    await open("Fwd: minutes");
    await page.getByRole("button", { name: "Delete" }).click();
    await rows(5);
    assert.equal(await row("Fwd: minutes").count(), 0);
    await page.getByRole("button", { name: "Clear inbox" }).click();
    await shown(page.getByText("5 mails will be deleted."));
    await page.getByRole("button", { name: "Keep" }).click();
    await rows(5);
    await page.getByRole("button", { name: "Clear inbox" }).click();
    await page.getByRole("button", { name: "Delete all" }).click();
    await shown(page.getByText("No mail yet"));
    assert.equal(await page.title(), "Sandbox inbox");
  });

  test("is used with the keyboard alone", async () => {
    const press = (key) => page.keyboard.press(key);
    await press("/");
    await focusIs("search");
    await page.keyboard.type("fabrikam/");
    await shown(page.getByText("Nothing matches"));
    await press("Escape");
    await rows(6);
    await press("j");
    await shown(page.getByRole("heading", { name: "Three new roasts" }));
    await press("j");
    await shown(page.getByRole("heading", { name: "Rechnung 4711" }));
    await press("k");
    await shown(page.getByRole("heading", { name: "Three new roasts" }));
    await press("6");
    await shown(page.getByRole("heading", { name: "Recipients" }));

    await page.locator("#list a").first().focus();
    await press("ArrowDown");
    await press("ArrowDown");
    await press("ArrowUp");
    await focusIs(/Rechnung/);
    await press("Enter");
    await shown(page.getByRole("heading", { name: "Rechnung 4711" }));
    await tab("Text").focus();
    await press("ArrowRight");
    assert.equal(await tab("Source").getAttribute("aria-selected"), "true");
    await focusIs("tab-source");
    await press("End");
    await focusIs("tab-delivery");
    await shown(page.getByRole("heading", { name: "Recipients" }));
    await press("Tab");
    await focusIs("panel-delivery");

    await row("Rechnung").locator("a").focus();
    await press("Delete");
    await rows(5);
    await focusIs(/You have won/);
    await press("Escape");
    await shown(page.getByRole("heading", { name: "Choose a mail" }));
  });

  test("shows the mail its address names", async () => {
    await open("Three new roasts", "Headers");
    await page.reload();
    assert.equal(await tab(/Headers/).getAttribute("aria-selected"), "true");
    await page.goto(`${inbox.url}#/999`);
    await shown(page.getByText("there is no mail with this id"));
  });

  for (const width of [320, PHONE.width, 768, 1024, DESKTOP.width, 1920]) {
    test(`fits into ${width} pixels`, async () => {
      await page.setViewportSize({ width, height: 844 });
      await fits();
      for (const name of ["HTML", "Text", "Source", "Headers", "Attachments", "Delivery"]) {
        await page.goto(`${inbox.url}#/6/${name.toLowerCase()}`);
        await shown(panel());
        assert.equal(await tab(name).getAttribute("aria-selected"), "true");
        await fits();
      }
    });
  }

  async function fits() {
    const tooWide = await page.evaluate(() =>
      [...document.querySelectorAll("html, main, main > *, .mail, .panel:not([hidden])")]
        .filter((box) => box.checkVisibility() && box.scrollWidth > box.clientWidth)
        .map((box) => box.className || box.tagName),
    );
    assert.deepEqual(tooWide, []);
  }

  test("shows one thing at a time on a phone", async () => {
    await page.setViewportSize(PHONE);
    await row("Three new roasts").click();
    await shown(page.getByRole("heading", { name: "Three new roasts" }));
    assert.equal(await page.locator("#list").isVisible(), false);
    const [desktop, phone] = await previews();
    assert.deepEqual([desktop.contentWidth, phone.contentWidth], [700, 375]);
    assert.ok(desktop.right <= PHONE.width && phone.right <= PHONE.width, "both are scaled to fit");
    await page.getByRole("link", { name: "Back to the list" }).click();
    await shown(page.locator("#list"));
  });

  for (const colorScheme of ["light", "dark"]) {
    test(`can be read in ${colorScheme} colours`, async () => {
      await page.emulateMedia({ colorScheme });
      await open("Three new roasts", "Delivery");
      // WCAG 2.2 success criterion 1.4.3 asks for 4.5.
      const faint = (await page.evaluate(contrasts)).filter(({ ratio }) => ratio < 4.5);
      assert.deepEqual(faint, []);
    });
  }
});

/** The contrast of every text in sight with what is painted behind it. */
function contrasts() {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const paint = (colors) => {
    canvas.clearRect(0, 0, 1, 1);
    for (const color of colors) {
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
    }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
  };
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const texts = [...document.querySelectorAll("body *")].filter(
    (box) => box.checkVisibility() && [...box.childNodes].some((node) => node.nodeType === 3 && node.data.trim()),
  );
  return texts.map((box) => {
    const behind = [];
    for (let parent = box; parent; parent = parent.parentElement) behind.unshift(getComputedStyle(parent).backgroundColor);
    const [one, other] = [paint(behind), paint([...behind, getComputedStyle(box).color])].map(luminance);
    const ratio = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
    return { text: box.innerText.slice(0, 30), ratio: Math.round(ratio * 100) / 100 };
  });
}
