// The examples of README.md, run and type-checked as they stand in a program that has the package installed.

'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { mkdir, mkdtemp, readFile, rm, symlink, writeFile } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, before, test } = require('node:test');
const { promisify } = require('node:util');
const { Mailbearer } = require('mailbearer');
const { Sandbox } = require('mailbearer/sandbox');

const PACKAGE = join(__dirname, '..');
const SECRETS = { MAILBEARER_PASSPHRASE: 'correct horse battery staple', CLIENT_SECRET: 'a-secret' };
const NAMES = ['sandbox', 'account', 'send', 'events', 'nodemailer', 'testing'];

let folder;

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mailbearer-readme-'));
  const modules = join(folder, 'node_modules');
  await mkdir(modules);
  await symlink(PACKAGE, join(modules, 'mailbearer'));
  for (const name of ['nodemailer', '@types']) await symlink(join(PACKAGE, 'node_modules', name), join(modules, name));
  const readme = await readFile(join(PACKAGE, 'README.md'), 'utf8');
  const examples = [...readme.matchAll(/^```js\n(.*?)^```$/gms)].map(([, code]) => code);
  assert.equal(examples.length, NAMES.length);
  for (const [place, name] of NAMES.entries()) await writeFile(join(folder, `${name}.mjs`), examples[place]);
});

after(() => rm(folder, { recursive: true }));

async function run(...command) {
  const env = { ...process.env, ...SECRETS };
  delete env.NODE_TEST_CONTEXT; // a test that runs in another reports to it instead of printing
  return promisify(execFile)(process.execPath, command, { cwd: folder, env });
}

function open() {
  const passphrase = { type: 'text', text: SECRETS.MAILBEARER_PASSPHRASE };
  return Mailbearer.open({ vault: { type: 'file', path: join(folder, 'mailbearer.vault'), passphrase } });
}

test('a first mail goes through the sandbox', async () => {
  assert.equal((await run('sandbox.mjs')).stdout, 'accepted 1\n');
});

test('an account is added, and sends', async () => {
  await run('account.mjs');
  const mailbearer = await open();
  const [account] = await mailbearer.accounts();
  assert.equal(account.mailbox, 'billing@contoso.example');
  await mailbearer.removeAccount('billing');
  const sandbox = await Sandbox.start();
  await mailbearer.addAccount(sandbox.billing);
  await mailbearer.close();
  assert.equal((await run('send.mjs')).stdout, 'ada@fabrikam.example accepted \n');
  assert.equal((await sandbox.takeMails()).length, 1);
  await sandbox.stop();
  const { stdout, stderr } = await run('send.mjs');
  assert.equal(stdout, '');
  assert.match(stderr, /^unavailable \(.*What to do: /);
});

test('events and the log are seen', async () => {
  const { stdout, stderr } = await run('events.mjs');
  assert.equal(stdout, 'tokenObtained\n');
  assert.match(stderr, /^debug mailbearer::/m);
});

test('nodemailer sends through it', async () => {
  assert.equal((await run('nodemailer.mjs')).stdout, "[ 'ada@fabrikam.example' ]\n");
});

test("a program's own test passes", async () => {
  assert.match((await run('--test', '--test-reporter=tap', 'testing.mjs')).stdout, /^# pass 1$/m);
});

test('their types are right', async () => {
  const tsc = join(PACKAGE, 'node_modules/typescript/bin/tsc');
  const options = ['--strict', '--allowJs', '--checkJs', '--noEmit', '--module', 'nodenext', '--target', 'es2022', '--types', 'node'];
  const checked = run(tsc, ...options, ...NAMES.map((name) => `${name}.mjs`));
  await checked.catch((error) => assert.fail(error.stdout));
});
