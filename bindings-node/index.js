// What people see of the native module: a class, an error, and an iterator of events.
// It decides nothing: every decision is the core's.

'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const native = load();

/** A handle on everything Mailbearer does. Its types and their documentation are in `index.d.ts`. */
class Mailbearer {
  #handle;

  static async open(config = {}) {
    const mailbearer = new Mailbearer();
    mailbearer.#handle = await settled(native.open(config));
    return mailbearer;
  }

  async close() {
    await settled(this.#handle.close());
  }

  async addAccount(account) {
    return settled(this.#handle.addAccount(account));
  }

  async accounts() {
    return settled(this.#handle.accounts());
  }

  async removeAccount(account) {
    await settled(this.#handle.removeAccount(account));
  }

  async beginSignIn(account, flow = 'deviceCode') {
    return settled(this.#handle.beginSignIn(account, flow));
  }

  async finishSignIn(prompt) {
    return settled(this.#handle.finishSignIn(prompt));
  }

  async accessToken(account) {
    return settled(this.#handle.accessToken(account));
  }

  async tokenStatus(account) {
    return settled(this.#handle.tokenStatus(account));
  }

  async send(message) {
    return settled(this.#handle.send(message));
  }

  async sendRaw(envelope, mime) {
    return settled(this.#handle.sendRaw(envelope, mime));
  }

  events() {
    // The reader is made now, not when iteration begins: nothing that happens in between is lost.
    return read(this.#handle.events());
  }

  explain(evidence) {
    return this.#handle.explain(evidence);
  }
}

/** A failure with its cause and the next step. Its message is the problem's text. */
class MailbearerError extends Error {
  constructor(problem) {
    super(problem.text);
    const { kind, code, fix, retry, operation, answer, recipients = [] } = problem;
    Object.assign(this, { kind, code, fix, retry, operation, answer, recipients });
    Object.defineProperty(this, 'problem', { value: problem }); // it repeats the others: not shown again
  }
}
MailbearerError.prototype.name = 'MailbearerError';

/** The value of an outcome. The error is made here, so that its stack leads to the caller. */
async function settled(outcome) {
  const { value, problem } = await outcome;
  if (problem) throw new MailbearerError(problem);
  return value;
}

async function* read(reader) {
  for (let event = await reader.next(); event; event = await reader.next()) yield event;
}

/** The native module for this system, from beside this file. */
function load() {
  const path = join(__dirname, `mailbearer.${process.platform}-${process.arch}.node`);
  if (!existsSync(path)) {
    throw new Error(`mailbearer has no native module for ${process.platform}-${process.arch}: ${path} is missing`);
  }
  return require(path);
}

module.exports = { Mailbearer, MailbearerError };
