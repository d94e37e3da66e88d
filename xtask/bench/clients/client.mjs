// The clients in Node: `client.mjs NAME RUN`, NAME being nodemailer or mailbearer.

import { readFileSync } from "node:fs";

const [name, file] = process.argv.slice(2);
const run = JSON.parse(readFileSync(file, "utf8"));
const message = readFileSync(run.messageFile);
const ca = readFileSync(run.caFile, "utf8");

const end = performance.now() + run.seconds * 1000;
let begun = 0;
const another = () => {
  begun += 1;
  return begun <= run.most && (begun <= run.least || performance.now() < end);
};

// So many callers, each waiting for its verdict before it sends the next one.
async function callers(count, send) {
  const caller = async () => {
    while (another()) await send();
  };
  await Promise.all(Array.from({ length: count }, caller));
}

async function nodemailer() {
  const { createTransport } = (await import("nodemailer")).default;
  const transport = createTransport({
    host: run.host,
    port: run.port,
    requireTLS: true,
    tls: { ca },
    pool: true,
    maxConnections: run.connections,
    maxMessages: Infinity,
    auth: { type: "OAuth2", user: run.user, accessToken: run.token },
  });
  const envelope = { from: run.user, to: run.recipients };
  await callers(run.connections, () => transport.sendMail({ envelope, raw: message }));
  transport.close();
}

async function mailbearer() {
  const { Mailbearer } = await import(process.env.MAILBEARER_NODE);
  const handle = await Mailbearer.open();
  await handle.addAccount({
    name: "bench",
    mailbox: run.user,
    cloud: "custom",
    grant: { type: "tokenCommand", command: ["printf", run.token] },
    endpoints: {
      tokenUrl: "http://127.0.0.1:9/token", // never asked: the command gives the token
      scopes: ["mail"],
      smtpHost: run.host,
      smtpPort: run.port,
      caPem: ca,
    },
  });
  const envelope = { account: "bench", recipients: run.recipients };
  await callers(run.connections * run.streams, () => handle.sendRaw(envelope, message));
  await handle.close();
}

await { nodemailer, mailbearer }[name]();
