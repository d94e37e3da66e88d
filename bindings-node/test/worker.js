// A worker thread that opens a handle of its own and says what a closed one answers.

'use strict';

const { parentPort } = require('node:worker_threads');
const { Mailbearer } = require('mailbearer');

async function run() {
  const mailbearer = await Mailbearer.open();
  await mailbearer.close();
  parentPort.postMessage(await mailbearer.accounts().catch((error) => error.code));
}

run();
