// Sends one mail through the installed package to the sandbox in it, from a module.

import { Mailbearer } from 'mailbearer';
import { Sandbox } from 'mailbearer/sandbox';

const sandbox = await Sandbox.start();
const mailbearer = await Mailbearer.open();
await mailbearer.addAccount(sandbox.billing);
const to = [{ address: 'ada@fabrikam.example' }];
const delivery = await mailbearer.send({ account: 'billing', to, subject: 'Hello', text: 'Hello.\n' });
if ((await sandbox.mails()).length !== 1) throw new Error('the mail did not arrive');
console.log(delivery.recipients[0].verdict);
await mailbearer.close();
await sandbox.stop();
