// A local Microsoft 365 inside this process, to test mail code against: Entra ID, Exchange's SMTP, and an inbox.

'use strict';

const { readFile } = require('node:fs/promises');
const native = require('./native.js');

/** Those that run: their files are removed even when the process ends without having stopped them. */
const running = new Set();

class Sandbox {
  #handle;

  /** Starts one on free ports of 127.0.0.1. */
  static async start({ randomSeed } = {}) {
    const sandbox = new Sandbox();
    sandbox.#handle = await native.startSandbox(randomSeed);
    running.add(sandbox.#handle);
    const facts = await sandbox.call('GET', '');
    const endpoints = {
      authority: facts.identity_url,
      smtpHost: 'localhost',
      smtpPort: facts.smtp_port,
      caPem: await readFile(facts.ca_file, 'utf8'),
    };
    sandbox.facts = facts;
    sandbox.billing = {
      name: 'billing',
      mailbox: facts.shared_mailbox,
      tenant: facts.tenant_id,
      clientId: facts.service_client_id,
      grant: { type: 'clientSecret', clientSecret: facts.service_client_secret },
      endpoints,
    };
    sandbox.alice = {
      name: 'alice',
      mailbox: facts.alice.address,
      tenant: facts.domain,
      clientId: facts.public_client_id,
      grant: { type: 'deviceCode' },
      endpoints,
    };
    return sandbox;
  }

  async mails() {
    return received(await this.call('GET', '/mails'));
  }

  async takeMails() {
    return received(await this.call('DELETE', '/mails'));
  }

  async injectFault(fault) {
    await this.call('POST', '/faults', fault);
  }

  async approveDevice(userCode, user = this.facts.alice.address) {
    await this.call('POST', '/devices/approve', { user_code: userCode, user });
  }

  async secrets() {
    return this.call('GET', '/secrets');
  }

  async call(method, path, body) {
    const headers = { 'content-type': 'application/json', connection: 'close' };
    if (!running.has(this.#handle)) throw new Error(`the sandbox has been stopped: ${method} ${path}`);
    const url = this.#handle.controlUrl + path;
    const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
    const answer = await response.text();
    if (!response.ok) throw new Error(`the sandbox refused ${method} ${path}: ${response.status} ${answer}`);
    return answer && JSON.parse(answer);
  }

  async stop() {
    running.delete(this.#handle);
    await this.#handle.stop();
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.stop();
  }
}

process.on('exit', () => running.forEach((handle) => handle.abandon()));

function received(mails) {
  return mails.map((mail) => ({ ...mail, mime: Buffer.from(mail.mime_base64, 'base64') }));
}

module.exports = { Sandbox };
