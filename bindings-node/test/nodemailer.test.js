// Both drop-ins, with nodemailer itself: as its transport, and as the source of tokens of its own SMTP transport.

'use strict';

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { createServer } = require('node:net');
const { once } = require('node:events');
const { Readable } = require('node:stream');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const nodemailer = require('nodemailer');
const { Mailbearer, MailbearerError } = require('mailbearer');
const { mailbearerAuth, mailbearerTransport } = require('mailbearer/nodemailer');
const { Sandbox } = require('mailbearer/sandbox');

let sandbox;
let mailbearer;

before(async () => {
  sandbox = await Sandbox.start();
});

after(() => sandbox.stop());

beforeEach(async () => {
  mailbearer = await Mailbearer.open();
  await mailbearer.addAccount(sandbox.billing);
});

afterEach(() => mailbearer.close());

function invoice(more = {}) {
  const from = `Billing <${sandbox.facts.shared_mailbox}>`;
  return { from, to: sandbox.facts.bob.address, subject: 'Your invoice', text: 'It is attached.', ...more };
}

describe('the transport', () => {
  let transporter;

  beforeEach(() => {
    transporter = nodemailer.createTransport(mailbearerTransport({ mailbearer, account: 'billing' }));
  });

  test('names itself', () => {
    const { version } = require('../package.json');
    assert.equal(transporter.transporter.version, version);
    assert.ok(transporter.getVersionString().includes(`Mailbearer/${version}`));
  });

  test('sends what nodemailer has built, octet for octet', async () => {
    const attachments = [{ filename: 'invoice.pdf', content: Readable.from([Buffer.from('%PDF'), Buffer.from('-1.7')]) }];
    const info = await transporter.sendMail(invoice({ html: '<p>It is attached.</p>', attachments }));
    const [mail] = await sandbox.takeMails();
    const source = mail.mime.toString();
    assert.match(source, /multipart\/alternative/);
    assert.ok(source.includes(Buffer.from('%PDF-1.7').toString('base64')), source);
    assert.ok(source.includes(`Message-ID: ${info.messageId}`));
    assert.equal(info.messageSize, mail.mime.length);
  });

  test('tells what nodemailer tells', async () => {
    const info = await transporter.sendMail(invoice());
    await sandbox.takeMails();
    const { bob, shared_mailbox: from } = sandbox.facts;
    assert.deepEqual(info.envelope, { from, to: [bob.address] });
    assert.deepEqual(info.accepted, [bob.address]);
    assert.deepEqual([info.rejected, info.rejectedErrors], [[], []]);
    assert.match(info.response, /^250 2\./);
    assert.equal(info.delivery.account, 'billing');
  });

  test('keeps Bcc out of the mail and in the envelope', async () => {
    const info = await transporter.sendMail(invoice({ bcc: sandbox.facts.alice.address }));
    const [mail] = await sandbox.takeMails();
    assert.deepEqual(info.accepted, [sandbox.facts.bob.address, sandbox.facts.alice.address]);
    assert.ok(!mail.mime.includes(sandbox.facts.alice.address));
  });

  test('takes an envelope of the program, normalized by nodemailer', async () => {
    const { bob, shared_mailbox: from } = sandbox.facts;
    const envelope = { from: `Billing <${from}>`, to: `Bob <${bob.address}>` };
    const info = await transporter.sendMail(invoice({ to: 'elsewhere@fabrikam.example', envelope }));
    await sandbox.takeMails();
    assert.deepEqual(info.envelope, { from, to: [bob.address] });
  });

  test('sends raw messages', async () => {
    const { bob, shared_mailbox: from } = sandbox.facts;
    const raw = `From: ${from}\r\nTo: ${bob.address}\r\nSubject: raw\r\n\r\nas it is\r\n`;
    await transporter.sendMail({ envelope: { from, to: [bob.address] }, raw });
    const [mail] = await sandbox.takeMails();
    assert.equal(mail.mime.toString(), raw);
  });

  test('serves callbacks, too', async () => {
    const [error, info] = await new Promise((resolve) => transporter.sendMail(invoice(), (...all) => resolve(all)));
    await sandbox.takeMails();
    assert.equal(error, null);
    assert.equal(info.accepted.length, 1);
  });

  test('names who was refused beside who was accepted', async () => {
    const address = 'gone@contoso.example';
    await sandbox.call('POST', '/refused-recipients', { address, reply: 'recipient-not-found' });
    const info = await transporter.sendMail(invoice({ cc: address }));
    await sandbox.takeMails();
    assert.deepEqual([info.accepted, info.rejected], [[sandbox.facts.bob.address], [address]]);
    const [refusal] = info.rejectedErrors;
    assert.deepEqual([refusal.recipient, refusal.code, refusal.responseCode], [address, 'recipient-not-found', 550]);
  });

  test('fails with fields that programs written for nodemailer look at', async () => {
    const address = 'gone@contoso.example';
    const error = await transporter.sendMail(invoice({ to: address })).catch((caught) => caught);
    assert.ok(error instanceof MailbearerError);
    assert.deepEqual([error.code, error.responseCode, error.rejected], ['recipient-not-found', 550, [address]]);
    assert.ok(error.response && error.fix);
  });

  test('fails when a stream of an attachment breaks, and sends nothing', async () => {
    const content = new Readable({ read() { this.destroy(new Error('the disk is gone')); } });
    await assert.rejects(transporter.sendMail(invoice({ attachments: [{ filename: 'x', content }] })), /the disk is gone/);
    assert.deepEqual(await sandbox.takeMails(), []);
  });

  test('fails without recipients as nodemailer does: nothing is sent', async () => {
    await assert.rejects(transporter.sendMail(invoice({ to: [] })), MailbearerError);
    assert.deepEqual(await sandbox.takeMails(), []);
  });

  test('ends a sending whose signal aborts', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const endpoints = { ...sandbox.billing.endpoints, authority: `http://127.0.0.1:${silent.address().port}` };
    await mailbearer.addAccount({ ...sandbox.billing, name: 'stuck', endpoints });
    const stuck = nodemailer.createTransport(mailbearerTransport({ mailbearer, account: 'stuck' }));
    const controller = new AbortController();
    const sent = stuck.sendMail(invoice({ signal: controller.signal }));
    const [socket] = await once(silent, 'connection');
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await assert.rejects(sent, reason);
    socket.destroy();
    silent.close();
  });

  test('verifies by signing in', async () => {
    assert.equal(await transporter.verify(), true);
    const [error, ready] = await new Promise((resolve) => transporter.verify((...all) => resolve(all)));
    assert.deepEqual([error, ready], [null, true]);
    const unknown = nodemailer.createTransport(mailbearerTransport({ mailbearer, account: 'nobody' }));
    await assert.rejects(unknown.verify(), { code: 'account-unknown' });
  });

  test('is idle, and leaves the handle open when it is closed', async () => {
    assert.equal(transporter.isIdle(), true);
    transporter.close();
    assert.equal((await mailbearer.accounts()).length, 1);
  });

  test('signs with DKIM where nodemailer is told to', async () => {
    const { generateKeyPairSync } = require('node:crypto');
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const dkim = {
      domainName: 'contoso.example',
      keySelector: 'mail',
      privateKey: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    };
    await transporter.sendMail(invoice({ dkim }));
    const [mail] = await sandbox.takeMails();
    assert.match(mail.mime.toString(), /^DKIM-Signature: /m);
  });
});

describe("tokens for nodemailer's own SMTP transport", () => {
  const smtp = (more) => ({
    host: 'localhost',
    port: sandbox.facts.smtp_port,
    requireTLS: true,
    tls: { ca: readFileSync(sandbox.facts.ca_file) },
    ...more,
  });
  const user = () => sandbox.facts.shared_mailbox;

  test('sign it in', async () => {
    const auth = mailbearerAuth({ mailbearer, account: 'billing', user: user() });
    const transporter = nodemailer.createTransport(smtp({ auth }));
    await transporter.verify();
    const info = await transporter.sendMail(invoice());
    assert.deepEqual(info.accepted, [sandbox.facts.bob.address]);
    assert.equal((await sandbox.takeMails()).length, 1);
  });

  test('sign in a pool', async () => {
    const auth = mailbearerAuth({ mailbearer, account: 'billing', user: user() });
    const transporter = nodemailer.createTransport(smtp({ auth, pool: true, maxConnections: 2 }));
    await Promise.all([1, 2, 3].map(() => transporter.sendMail(invoice())));
    transporter.close();
    assert.equal((await sandbox.takeMails()).length, 3);
  });

  test('serve a whole mailer through its oauth2_provision_cb', async () => {
    const transporter = nodemailer.createTransport(smtp({ auth: { type: 'OAuth2', user: user() } }));
    transporter.set('oauth2_provision_cb', mailbearerAuth({ mailbearer, account: 'billing', user: user() }).provisionCallback);
    await transporter.sendMail(invoice());
    assert.equal((await sandbox.takeMails()).length, 1);
  });

  /** `{"status":"400"}`, which only some servers send. */
  const CHALLENGE = '334 eyJzdGF0dXMiOiI0MDAifQ==';

  test('renew one that the server refuses with a challenge', async () => {
    const auth = mailbearerAuth({ mailbearer, account: 'billing', user: user() });
    const transporter = nodemailer.createTransport(smtp({ auth }));
    const refused = await mailbearer.accessToken('billing');
    await sandbox.injectFault({ at: 'auth-response', effect: { reply: CHALLENGE }, times: 'once' });
    await transporter.sendMail(invoice());
    assert.equal((await sandbox.takeMails()).length, 1);
    assert.notEqual((await mailbearer.accessToken('billing')).token, refused.token);
  });

  test('a sign-in that fails says why', async () => {
    const auth = mailbearerAuth({ mailbearer, account: 'nobody', user: user() });
    const transporter = nodemailer.createTransport(smtp({ auth }));
    await assert.rejects(transporter.sendMail(invoice()), /nobody/);
  });
});
