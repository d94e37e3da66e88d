// A local Microsoft 365 for the tests: the sandbox's own program, and accounts that send through it.

'use strict';

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const { readFile } = require('node:fs/promises');
const { join } = require('node:path');
const { createInterface } = require('node:readline');

const PROGRAM = join(__dirname, '../../target/debug/mailbearer-sandbox');
const PORTS = ['identity', 'identity-tls', 'smtp', 'inbox'].map((name) => `--${name}-port=0`);

/** Starts a sandbox. */
async function start() {
  const child = spawn(PROGRAM, PORTS, { stdio: ['ignore', 'pipe', 'ignore'] });
  const url = await controlUrl(child.stdout);
  const call = async (method, path, body) => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url + path, { method, headers, body: body && JSON.stringify(body) });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response.json();
  };
  const facts = await call('GET', '');
  const endpoints = {
    authority: facts.identity_url,
    smtpHost: 'localhost',
    smtpPort: facts.smtp_port,
    caPem: await readFile(facts.ca_file, 'utf8'),
  };
  return {
    call,
    facts,
    /** The seeded service, which sends as the shared mailbox. */
    billing: {
      name: 'billing',
      mailbox: facts.shared_mailbox,
      tenant: facts.tenant_id,
      clientId: facts.service_client_id,
      grant: { type: 'clientSecret', clientSecret: facts.service_client_secret },
      endpoints,
    },
    /** Alice, who signs in herself. */
    alice: {
      name: 'alice',
      mailbox: facts.alice.address,
      tenant: facts.domain,
      clientId: facts.public_client_id,
      grant: { type: 'deviceCode' },
      endpoints,
    },
    /** The received mails, with their octets under `mime`; the inbox is empty afterwards. */
    async takeMails() {
      const mails = await call('GET', '/mails');
      await call('DELETE', '/mails');
      return mails.map((mail) => ({ ...mail, mime: Buffer.from(mail.mime_base64, 'base64') }));
    },
    async stop() {
      const exit = once(child, 'exit');
      child.kill();
      await exit;
    },
  };
}

async function controlUrl(output) {
  for await (const line of createInterface({ input: output })) {
    const found = /^control\s+(\S+)/.exec(line);
    if (found) return found[1];
  }
  throw new Error(`${PROGRAM} did not start`);
}

module.exports = { start };
