// What a call costs on Node's side: `node bindings-node/bench/cost.js`, with the packages of `cargo xtask dist node`
// installed in the current folder, or a module of `cargo xtask build node`. Each figure is the best of five runs, the
// core's own share included.

'use strict';

const { execFileSync } = require('node:child_process');
const { createRequire } = require('node:module');
const { join } = require('node:path');
const here = createRequire(join(process.cwd(), 'package.json'));
const { Mailbearer } = here('mailbearer');
const { Sandbox } = here('mailbearer/sandbox');

const REFUSAL = '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Mailbox.';
// As in the core's own benchmark.
const NOISE = '2026-11-25T12:00:00Z worker-7 queue: nothing to do, waiting for the next message\n';
const LOG = NOISE.repeat(Math.floor((10 * 1024) / NOISE.length)) + REFUSAL;

async function main() {
  const sandbox = await Sandbox.start();
  const mailbearer = await Mailbearer.open();
  await mailbearer.addAccount(sandbox.billing);
  await measure('accessToken, cached', () => mailbearer.accessToken('billing'));
  await measure('explain, one line', () => mailbearer.explain({ evidence: [{ kind: 'smtpReply', text: REFUSAL }] }), 2_000);
  await measure('explain, 10 KB of a log', () => mailbearer.explain({ evidence: [{ kind: 'log', text: LOG }] }), 200);
  await mailbearer.close();
  await measure('a call that does nothing', () => mailbearer.close());
  const mail = { account: 'billing', to: [{ address: 'ada@fabrikam.example' }], text: 'It is due. '.repeat(900) };
  await measure('a 10 KB mail that a closed handle refuses', () => mailbearer.send(mail).catch(() => {}), 5_000);
  await sandbox.stop();
  for (const name of ['mailbearer', 'nodemailer']) show(`require('${name}')`, best(() => requireUs(name)));
}

async function measure(what, call, calls = 20_000) {
  const runs = [];
  for (let run = 0; run < 5; run += 1) {
    const started = process.hrtime.bigint();
    for (let made = 0; made < calls; made += 1) await call();
    runs.push(Number(process.hrtime.bigint() - started) / calls / 1e3);
  }
  show(what, Math.min(...runs));
}

/** In a process of its own, because a module is loaded once. */
function requireUs(name) {
  const program = `const t = process.hrtime.bigint(); require(${JSON.stringify(name)}); console.log(Number(process.hrtime.bigint() - t) / 1e3)`;
  return Number(execFileSync(process.execPath, ['-e', program], { cwd: process.cwd() }));
}

function best(call) {
  return Math.min(...Array.from({ length: 5 }, call));
}

function show(what, us) {
  console.log(`${what.padEnd(48)}${us.toFixed(1).padStart(12)} us`);
}

main();
