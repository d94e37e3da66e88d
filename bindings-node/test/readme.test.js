// The examples of README.md, run as they stand by a program that has the package installed.

'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { mkdir, mkdtemp, readFile, rm, symlink, writeFile } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, before, beforeEach, test } = require('node:test');
const { promisify } = require('node:util');
const { Mailbearer } = require('mailbearer');
const { Sandbox } = require('mailbearer/sandbox');

const PACKAGE = join(__dirname, '..');
const SECRETS = { MAILBEARER_PASSPHRASE: 'correct horse battery staple', CLIENT_SECRET: 'a-secret' };

let sandbox;
let folder;
let examples;

before(async () => {
  sandbox = await Sandbox.start();
  folder = await mkdtemp(join(tmpdir(), 'mailbearer-readme-'));
  await mkdir(join(folder, 'node_modules'));
  await symlink(PACKAGE, join(folder, 'node_modules/mailbearer'));
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
});

beforeEach(() => rm(join(folder, 'mailbearer.vault'), { force: true }));

after(async () => {
  await rm(folder, { recursive: true });
  await sandbox.stop();
});

async function run(code) {
  await writeFile(join(folder, 'example.mjs'), code);
  const options = { cwd: folder, env: { ...process.env, ...SECRETS } };
  return promisify(execFile)(process.execPath, ['example.mjs'], options);
}

function open() {
  const passphrase = { type: 'text', text: SECRETS.MAILBEARER_PASSPHRASE };
  return Mailbearer.open({ vault: { type: 'file', path: join(folder, 'mailbearer.vault'), passphrase } });
}

test('the first example sends', async () => {
  const mailbearer = await open();
  await mailbearer.addAccount(sandbox.billing);
  await mailbearer.close();
  const { stdout } = await run(examples[0]);
  assert.equal(stdout, 'ada@fabrikam.example accepted \n');
  assert.equal((await sandbox.takeMails()).length, 1);
});

test('the second example adds an account', async () => {
  await run(examples[1]);
  const mailbearer = await open();
  const [account] = await mailbearer.accounts();
  assert.equal(account.mailbox, 'billing@contoso.example');
  await mailbearer.close();
});

test('a program that closes nothing ends by itself', async () => {
  const { stdout } = await run(`
    import { Mailbearer } from 'mailbearer';
    const mailbearer = await Mailbearer.open();
    mailbearer.events();
    console.log((await mailbearer.accounts()).length);`);
  assert.equal(stdout, '0\n');
});
