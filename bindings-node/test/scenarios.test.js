// The cases of scenarios/, which every language runs.

'use strict';

const assert = require('node:assert/strict');
const { mkdtemp, mkdir, readFile, rm, writeFile } = require('node:fs/promises');
const { readdirSync, readFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, test } = require('node:test');
const { inspect } = require('node:util');
const { Mailbearer, MailbearerError } = require('mailbearer');
const { Sandbox } = require('mailbearer/sandbox');
const { call, native } = require('../border.js');

const CASES = join(__dirname, '../../scenarios');
const TIMEOUTS = { connectMs: 5000, replyMs: 5000, verdictMs: 5000, tokenMs: 5000 };
const report = {};

for (const name of readdirSync(CASES, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name)) {
  const scenario = JSON.parse(readFileSync(join(CASES, name, 'case.json'), 'utf8'));
  test(`${name}: ${scenario.title}`, async () => {
    report[name] = 'failed: it did not end';
    try {
      await run(scenario);
      report[name] = 'passed';
    } catch (error) {
      report[name] = `failed: ${error.message}`;
      throw error;
    }
  });
}

after(async () => {
  const folder = process.env.MAILBEARER_SCENARIO_REPORTS;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'node.json'), JSON.stringify(report));
});

async function run(scenario) {
  const stage = await Stage.open(scenario);
  try {
    await stage.play(scenario);
  } finally {
    await stage.leave();
  }
}

/** Where a case is played. */
class Stage {
  static async open(scenario) {
    const stage = new Stage();
    stage.folder = await mkdtemp(join(tmpdir(), 'mailbearer-scenario-'));
    for (const [name, octets] of Object.entries(scenario.files ?? {})) {
      await writeFile(join(stage.folder, name), Buffer.from(octets, 'base64'), { mode: 0o600 });
    }
    stage.sandbox = await Sandbox.start({ randomSeed: 7 });
    stage.texts = { FOLDER: stage.folder, IDENTITY_URL: stage.sandbox.facts.identity_url };
    stage.environment = Object.keys(scenario.environment ?? {});
    for (const name of stage.environment) process.env[name] = stage.filledIn(scenario.environment[name]);
    stage.first = stage.mailbearer = await Mailbearer.open({ timeouts: TIMEOUTS });
    stage.service = { ...stage.sandbox.billing, name: 'service' };
    await stage.mailbearer.addAccount(stage.service);
    await stage.mailbearer.addAccount({ ...stage.sandbox.alice, name: 'person' });
    if (scenario.signedIn) {
      await stage.beginSignIn('person');
      await stage.sandbox.approveDevice(stage.prompt.userCode);
      await stage.finishSignIn();
    }
    for (const given of scenario.given ?? []) await stage.control(stage.filledIn(given));
    return stage;
  }

  async leave() {
    for (const name of this.environment) delete process.env[name];
    await this.first.close();
    await this.mailbearer.close();
    await this.sandbox.stop();
    await rm(this.folder, { recursive: true });
  }

  async play({ do: actions, expect, inbox = 0 }) {
    const events = this.first.events();
    for (const action of actions.slice(0, -1)) await this.act(action);
    const outcome = await this.act(actions.at(-1)).then(
      (result) => ({ result }),
      (error) => ({ error, problem: error instanceof MailbearerError ? plain(error.problem) : String(error) }),
    );
    const shown = inspect(outcome, { depth: null, showHidden: true });
    for (const secret of await this.sandbox.secrets()) assert.ok(!shown.includes(secret), 'a secret is shown');
    if ('result' in expect) contains(outcome.problem ? outcome : outcome.result, expect.result, 'result');
    if ('problem' in expect) contains(outcome.problem, expect.problem, 'problem');
    await this.checkInbox(expect, inbox);
    if (!expect.events) return;
    await this.first.close();
    const seen = [];
    for await (const event of events) seen.push(event);
    contains(seen, expect.events, 'events');
  }

  async checkInbox(expect, count) {
    const { mails } = await this.api('/api/mails');
    assert.equal(mails.length, count, 'mails in the inbox');
    if (count === 0) return;
    const path = `/api/mails/${mails[0].id}`;
    const mail = await this.api(path);
    if (expect.mail) contains(mail, expect.mail, 'mail');
    for (const [name, value] of Object.entries(expect.headers ?? {})) {
      const field = mail.headers.find((header) => header.name.toLowerCase() === name.toLowerCase());
      assert.equal(field?.value ?? null, value, `header ${name}`);
    }
    const source = expect.source && (await (await fetch(this.inboxUrl(`${path}/source`))).text());
    for (const text of expect.source ?? []) assert.ok(source.includes(text), `the source lacks ${text}: ${source}`);
  }

  async act(action) {
    const [name, argument] = typeof action === 'string' ? [action] : Object.entries(this.filledIn(action))[0];
    const method = ACTIONS[name];
    assert.ok(method, `unknown action ${name}`);
    return plain(await method(this, argument));
  }

  filledIn(value) {
    let text = JSON.stringify(value);
    for (const [name, found] of Object.entries(this.texts)) text = text.replaceAll(`$${name}`, () => JSON.stringify(found).slice(1, -1));
    return JSON.parse(text);
  }

  async beginSignIn(beginning) {
    const { account, flow } = typeof beginning === 'string' ? { account: beginning } : beginning;
    this.prompt = await this.mailbearer.beginSignIn(account, flow);
    Object.assign(this.texts, { USER_CODE: this.prompt.userCode, SIGN_IN_URL: this.prompt.verificationUrl });
    return this.prompt;
  }

  async finishSignIn(redirectedTo = null) {
    return this.mailbearer.finishSignIn({ ...this.prompt, redirectedTo });
  }

  async control({ method, path, body, keep = {} }) {
    const answer = await this.sandbox.call(method, path.replace(/^\/sandbox/, ''), body);
    for (const [name, member] of Object.entries(keep)) this.texts[name] = answer[member];
  }

  async write({ file, text }) {
    await writeFile(join(this.folder, file), text, { mode: 0o600 });
  }

  inboxUrl(path) {
    return new URL(path, this.sandbox.facts.inbox_url).href;
  }

  async api(path) {
    const response = await fetch(this.inboxUrl(path), { headers: { connection: 'close' } });
    return response.json();
  }
}

const ACTIONS = {
  async open(stage, config) {
    if (stage.mailbearer !== stage.first) await stage.mailbearer.close();
    stage.mailbearer = await Mailbearer.open({ ...config, timeouts: TIMEOUTS });
  },
  close: (stage) => stage.mailbearer.close(),
  addAccount: (stage, account) => stage.mailbearer.addAccount({ ...stage.service, ...account }),
  accounts: (stage) => stage.mailbearer.accounts(),
  removeAccount: (stage, account) => stage.mailbearer.removeAccount(account),
  beginSignIn: (stage, account) => stage.beginSignIn(account),
  finishSignIn: (stage, redirectedTo) => stage.finishSignIn(redirectedTo),
  async accessToken(stage, account) {
    const { token, ...rest } = await stage.mailbearer.accessToken(account);
    assert.ok(token);
    stage.refused = token;
    return rest;
  },
  async accessTokenAfter(stage, account) {
    const { token, ...rest } = await stage.mailbearer.accessTokenAfter(account, stage.refused);
    return { ...rest, isNew: token !== stage.refused };
  },
  tokenStatus: (stage, account) => stage.mailbearer.tokenStatus(account),
  send: (stage, message) => stage.mailbearer.send(message),
  sendRaw: (stage, { envelope, mime }) => stage.mailbearer.sendRaw(envelope, Buffer.from(mime)),
  explain: async (stage, evidence) => stage.mailbearer.explain(evidence)[0],
  vaultRecords: (stage) => stage.mailbearer.vaultRecords(),
  checkVault: (stage) => stage.mailbearer.checkVault(),
  rotateVault: (stage, passphrase) => stage.mailbearer.rotateVault(passphrase),
  moveVault: (stage, to) => stage.mailbearer.moveVault(to),
  async panic() {
    const handle = await call(native, 'open', [{}]);
    await call(handle, 'panicForTests', []);
  },
  control: (stage, given) => stage.control(given),
  write: (stage, given) => stage.write(given),
  advanceClock: (stage, body) => stage.control({ method: 'POST', path: '/sandbox/clock/advance', body }),
};

/** As JSON has it: without `undefined`. */
function plain(value) {
  return value === undefined ? null : JSON.parse(JSON.stringify(value));
}

/** Whether `whole` has every part of `expected`: objects by key, lists by place, the rest by equality. */
function contains(whole, expected, path) {
  if (Array.isArray(expected)) {
    assert.equal(whole?.length, expected.length, `${path} is ${JSON.stringify(whole)}`);
    expected.forEach((part, place) => contains(whole[place], part, `${path}[${place}]`));
  } else if (typeof expected === 'object' && expected !== null) {
    for (const [key, part] of Object.entries(expected)) contains(whole?.[key] ?? null, part, `${path}.${key}`);
  } else {
    assert.equal(whole ?? null, expected, `${path} of ${JSON.stringify(whole)}`);
  }
}
