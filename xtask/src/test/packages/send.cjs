// The same from CommonJS.

'use strict';

const { Mailbearer } = require('mailbearer');
const { Sandbox } = require('mailbearer/sandbox');

async function main() {
  const sandbox = await Sandbox.start();
  const mailbearer = await Mailbearer.open();
  await mailbearer.addAccount(sandbox.billing);
  const to = [{ address: 'ada@fabrikam.example' }];
  const delivery = await mailbearer.send({ account: 'billing', to, subject: 'Hello', text: 'Hello.\n' });
  console.log(delivery.recipients[0].verdict);
  await mailbearer.close();
  await sandbox.stop();
}

main();
