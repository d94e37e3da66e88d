// A worker thread that sends through a sandbox of the main thread, and answers with what came of it.

'use strict';

const { parentPort, workerData } = require('node:worker_threads');
const { Mailbearer } = require('mailbearer');

async function run({ account, to, count }) {
  const mailbearer = await Mailbearer.open();
  await mailbearer.addAccount(account);
  const verdicts = [];
  for (let sent = 0; sent < count; sent += 1) {
    const delivery = await mailbearer.send({ account: account.name, to: [{ address: to }], subject: 'x', text: 'x' });
    verdicts.push(delivery.recipients[0].verdict);
  }
  await mailbearer.close();
  const error = await mailbearer.accounts().catch((caught) => caught);
  parentPort.postMessage({ verdicts, problem: error.problem });
}

run(workerData);
