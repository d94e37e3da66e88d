// The package and its process: how it ends, its threads, its memory, and what reaches other threads.

'use strict';

const assert = require('node:assert/strict');
const { execFile } = require('node:child_process');
const { once } = require('node:events');
const { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { after, before, describe, test } = require('node:test');
const { promisify } = require('node:util');
const { Worker } = require('node:worker_threads');
const { Mailbearer, MailbearerError } = require('mailbearer');
const { Sandbox } = require('mailbearer/sandbox');

const PACKAGE = join(__dirname, '..');
const TIME_LIMIT_MS = 60_000; // only a process that hangs reaches it

/** Runs a program that has the package; what it prints, or the error that says how it ended. */
async function run(code) {
  const options = { cwd: PACKAGE, timeout: TIME_LIMIT_MS };
  const program = `const { Mailbearer, setLogger } = require('mailbearer');
    const { Sandbox } = require('mailbearer/sandbox');
    (async () => { ${code} })();`;
  return promisify(execFile)(process.execPath, ['--eval', program], options);
}

describe('a process ends by itself', () => {
  for (const [what, code] of [
    ['with an open handle', 'await Mailbearer.open();'],
    ['with a reader of events that nobody waits for', '(await Mailbearer.open()).events();'],
    ['with a logger', "setLogger(() => {}); await Mailbearer.open();"],
    ['with a sandbox', 'await Sandbox.start();'],
    ['once the wait for an event is left', 'const events = (await Mailbearer.open()).events(); setTimeout(() => events.return(), 50); await events.next();'],
    ['once the handle of a wait for an event is closed', 'const m = await Mailbearer.open(); setTimeout(() => m.close(), 50); await m.events().next();'],
  ]) {
    test(what, async () => {
      const { stdout } = await run(`${code} console.log('the end');`);
      assert.equal(stdout, 'the end\n');
    });
  }

  test('and not while an event is waited for', async () => {
    const { stdout } = await run(`
      const m = await Mailbearer.open();
      m.events().next().then(({ done }) => console.log(done));
      setTimeout(() => m.close(), 50).unref();`);
    // Were the wait weak, the process would end before the timer, which keeps nothing alive.
    assert.equal(stdout, 'true\n');
  });
});

describe('process.exit', () => {
  for (const [what, code] of [
    ['while a mail is on its way', "m.send({ account: 'billing', to: [{ address: 'bob@contoso.example' }], subject: 'x', text: 'x' });"],
    ['while a person signs in', "await m.addAccount(s.alice); m.finishSignIn(await m.beginSignIn('alice'));"],
    ['while an event is waited for', 'm.events().next();'],
    ['while a log is kept', "setLogger(() => {}, { level: 'trace' }); m.accessToken('billing');"],
  ]) {
    test(`does not hang ${what}`, async () => {
      const { stdout } = await run(`
        const s = await Sandbox.start();
        const m = await Mailbearer.open();
        await m.addAccount(s.billing);
        process.on('exit', () => console.log('exits', s.facts.ca_file));
        ${code}
        setImmediate(() => process.exit());`);
      const [, file] = /^exits (.*)\n$/.exec(stdout);
      assert.ok(!existsSync(file), 'the files of the sandbox are left behind');
    });
  }
});

test('a listener of the log that throws is an uncaught exception', async () => {
  const { stdout } = await run(`
    process.on('uncaughtException', ({ message }) => { console.log(message); process.exit(); });
    setLogger(() => { throw new Error('the listener broke'); }, { level: 'trace' });
    const s = await Sandbox.start();
    const m = await Mailbearer.open();
    await m.addAccount(s.billing);
    await m.accessToken('billing');
    setTimeout(() => {}, 1000);`);
  assert.equal(stdout, 'the listener broke\n');
});

describe('other threads', () => {
  let sandbox;

  before(async () => {
    sandbox = await Sandbox.start();
  });

  after(() => sandbox.stop());

  const workerData = () => ({ account: sandbox.billing, to: sandbox.facts.bob.address, count: 5 });

  test('send, several at once, and pass problems on', async () => {
    const answer = async () => {
      const [answer] = await once(new Worker(join(__dirname, 'worker.js'), { workerData: workerData() }), 'message');
      return answer;
    };
    const answers = await Promise.all([answer(), answer(), answer()]);
    assert.deepEqual(answers.flatMap(({ verdicts }) => verdicts), Array(15).fill('accepted'));
    assert.equal((await sandbox.takeMails()).length, 15);
    const error = new MailbearerError(answers[0].problem);
    assert.deepEqual([error.kind, error.code, error.operation], ['misuse', 'handle-closed', 'accounts']);
  });

  test('may be ended in the middle of their work', async () => {
    const workers = [1, 2, 3].map(() => new Worker(join(__dirname, 'worker.js'), { workerData: { ...workerData(), count: 1e6 } }));
    while ((await sandbox.mails()).length < 3) await new Promise((resolve) => setTimeout(resolve, 5));
    await Promise.all(workers.map((worker) => worker.terminate()));
    const mailbearer = await Mailbearer.open();
    assert.deepEqual(await mailbearer.accounts(), []);
    await mailbearer.close();
    await sandbox.takeMails();
  });

  test('get the text of a cloned error, and all of its problem', async () => {
    const mailbearer = await Mailbearer.open();
    const error = await mailbearer.tokenStatus('nobody').catch((caught) => caught);
    await mailbearer.close();
    const clone = structuredClone(error);
    assert.deepEqual([clone.message, clone.stack, clone.kind], [error.message, error.stack, undefined]);
    assert.deepEqual(structuredClone(error.problem), error.problem);
  });
});

test('many calls leave no memory behind', async () => {
  const { stdout } = await run(`
    const m = await Mailbearer.open();
    const { signal } = new AbortController();
    const round = async (count) => {
      for (let call = 0; call < count; call += 1) {
        await m.accounts({ signal });
        await m.tokenStatus('nobody').catch(() => {});
        m.events();
        m.explain({ evidence: [{ text: '535 5.7.3 Authentication unsuccessful' }] });
        const abandoned = new AbortController();
        const wait = m.events({ signal: abandoned.signal }).next();
        abandoned.abort();
        await wait.catch(() => {});
      }
      await new Promise(setImmediate);
    };
    await round(1000);
    const before = process.memoryUsage().rss;
    await round(4000);
    console.log(Math.round((process.memoryUsage().rss - before) / 2 ** 20));`);
  // A kilobyte for each of these 20,000 calls would be 20 MB.
  assert.ok(Number(stdout) < 20, `${stdout} MB`);
});

describe('the native module', () => {
  const { version } = require('../package.json');
  const system = 'linux-x64-gnu';
  let folder;

  before(() => {
    folder = mkdtempSync(join(tmpdir(), 'mailbearer-loader-'));
    copyFileSync(join(PACKAGE, 'native.js'), join(folder, 'native.js'));
  });

  after(() => rmSync(folder, { recursive: true }));

  /** Loads the module as on another system; the answer of the package is its name. */
  const load = async (platform, arch, glibc) => {
    const program = `Object.defineProperties(process, { platform: { value: '${platform}' }, arch: { value: '${arch}' } });
      process.report.getReport = () => ({ header: { glibcVersionRuntime: ${JSON.stringify(glibc)} } });
      console.log(require('./native.js').name);`;
    return (await promisify(execFile)(process.execPath, ['--eval', program], { cwd: folder })).stdout.trim();
  };

  for (const [expected, ...given] of [
    [system, 'linux', 'x64', '2.36'],
    ['linux-x64-musl', 'linux', 'x64', undefined],
    ['linux-arm64-gnu', 'linux', 'arm64', '2.36'],
    ['darwin-arm64', 'darwin', 'arm64', undefined],
    ['win32-x64-msvc', 'win32', 'x64', undefined],
  ]) {
    test(`comes from @mailbearer/${expected}, or is missed clearly`, async () => {
      await assert.rejects(load(...given), new RegExp(`no native module for ${expected}: @mailbearer/${expected}: it is not installed`));
      const place = join(folder, 'node_modules/@mailbearer', expected);
      mkdirSync(place, { recursive: true });
      writeFileSync(join(place, 'package.json'), JSON.stringify({ version }));
      writeFileSync(join(place, 'index.js'), `module.exports = { name: '${expected}' };`);
      assert.equal(await load(...given), expected);
    });
  }
});

test('every way into the package exists, with its types', () => {
  const { exports } = JSON.parse(readFileSync(join(PACKAGE, 'package.json'), 'utf8'));
  const ways = Object.values(exports).flatMap((way) => (typeof way === 'string' ? [way] : Object.values(way)));
  assert.ok(ways.length > 6);
  for (const way of ways) assert.ok(existsSync(join(PACKAGE, way)), way);
});

test('ES modules and CommonJS see the same', async () => {
  for (const way of ['mailbearer', 'mailbearer/sandbox', 'mailbearer/nodemailer']) {
    const names = Object.keys(require(way));
    const module = await import(way);
    for (const name of names) assert.equal(module[name], require(way)[name], `${name} of ${way}`);
  }
});
