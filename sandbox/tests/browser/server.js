// What the browser test needs around it: an inbox with example mails, a browser, and a listener that hostile mail
// would reach if anything got through.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { chromium } from "playwright-core";

/** The command that serves the inbox; words are separated by spaces. */
const SERVER = process.env.INBOX_SERVER ?? "cargo run --quiet --package mailbearer-sandbox --example inbox --";
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** Starts the inbox. `run` sends a command to its standard input and gives its answer. */
export async function startInbox(hostileTarget, port = 0) {
  const [program, ...words] = SERVER.split(" ").filter(Boolean);
  const child = spawn(program, [...words, hostileTarget, String(port)], { stdio: ["pipe", "pipe", "inherit"] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async () => {
    const { value, done } = await lines.next();
    assert.ok(!done, `the inbox did not start or has ended: ${SERVER}`);
    return value;
  };
  return {
    url: await line(),
    run: (command) => {
      child.stdin.write(`${command}\n`);
      return line();
    },
    stop: async () => {
      const exit = once(child, "exit");
      child.stdin.end();
      await exit;
    },
  };
}

/** Starts Chromium with a profile of its own that is gone afterwards. */
export async function startBrowser() {
  const profile = await mkdtemp(join(tmpdir(), "inbox-test-"));
  const context = await chromium.launchPersistentContext(profile, { executablePath: CHROMIUM, args: ARGUMENTS });
  return {
    context,
    stop: async () => {
      await context.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Listens on a free port and notes every connection and every request, whoever makes them. */
export async function startListener(answer = "") {
  const listener = { hits: [] };
  const server = createServer((request, response) => {
    listener.hits.push(`${request.method} ${request.url}`);
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end(answer);
  });
  server.on("connection", () => listener.hits.push("connection"));
  await once(server.listen(0, "127.0.0.1"), "listening");
  listener.url = `http://127.0.0.1:${server.address().port}`;
  listener.stop = async () => {
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  return listener;
}

const ARGUMENTS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
