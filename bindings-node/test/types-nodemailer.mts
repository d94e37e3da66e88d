// The drop-ins as nodemailer's own declarations see them. It is compiled and never run.

import nodemailer from 'nodemailer';
import { createReadStream } from 'node:fs';
import { Mailbearer, type MessageInput } from 'mailbearer';
import { mailbearerAuth, mailbearerTransport } from 'mailbearer/nodemailer';
import { Sandbox } from 'mailbearer/sandbox';

export async function use(mailbearer: Mailbearer): Promise<Array<string>> {
  const transporter = nodemailer.createTransport(mailbearerTransport({ mailbearer, account: 'billing' }));
  const auth = mailbearerAuth({ mailbearer, account: 'billing', user: 'billing@contoso.example' });
  nodemailer.createTransport({ host: 'smtp.office365.com', port: 587, requireTLS: true, auth });
  const info = await transporter.sendMail({ to: 'ada@fabrikam.example' });
  return info.accepted;
}

export const attachments: MessageInput['attachments'] = [
  { name: 'a', content: createReadStream('a') },
  { name: 'b', content: new Blob(['b']) },
  { content: new URL('file:///c') },
  { name: 'd', content: new Uint8Array([1]).buffer },
  // @ts-expect-error: a number is no content
  { name: 'e', content: 7 },
];

export async function dispose(): Promise<void> {
  await using sandbox = await Sandbox.start();
  await using mailbearer = await Mailbearer.open({}, { signal: AbortSignal.timeout(1000) });
  await mailbearer.addAccount(sandbox.billing);
}
