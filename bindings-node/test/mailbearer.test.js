// The package against the sandbox: what goes in and out, errors, events, and the event loop.

'use strict';

const assert = require('node:assert/strict');
const { once } = require('node:events');
const { createServer } = require('node:net');
const { join } = require('node:path');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { inspect } = require('node:util');
const { Worker } = require('node:worker_threads');
const { Mailbearer, MailbearerError } = require('mailbearer');
const sandboxes = require('./sandbox.js');

let sandbox;
let mailbearer;

before(async () => {
  sandbox = await sandboxes.start();
});

after(() => sandbox.stop());

beforeEach(async () => {
  mailbearer = await Mailbearer.open();
});

afterEach(() => mailbearer.close());

function invoice(more = {}) {
  const to = [{ address: sandbox.facts.bob.address }];
  return { account: 'billing', to, subject: 'Your invoice', text: 'It is attached.\n', ...more };
}

describe('accounts', () => {
  test('are stored without their secrets', async () => {
    const added = await mailbearer.addAccount(sandbox.billing);
    assert.equal(added.grant, 'clientSecret');
    assert.equal(added.endpoints.smtpPort, sandbox.facts.smtp_port);
    assert.deepEqual(await mailbearer.accounts(), [added]);
    assert.ok(!JSON.stringify(added).includes(sandbox.facts.service_client_secret));
  });

  test('can be removed', async () => {
    await mailbearer.addAccount(sandbox.billing);
    assert.equal(await mailbearer.removeAccount('billing'), undefined);
    assert.deepEqual(await mailbearer.accounts(), []);
  });

  test('a person signs in with a code', async () => {
    await mailbearer.addAccount(sandbox.alice);
    assert.equal((await mailbearer.tokenStatus('alice')).state, 'signInNeeded');
    const prompt = await mailbearer.beginSignIn('alice');
    const approval = { user_code: prompt.userCode, user: sandbox.facts.alice.address };
    await sandbox.call('POST', '/devices/approve', approval);
    const status = await mailbearer.finishSignIn(prompt);
    assert.equal(status.state, 'valid');
    assert.equal(status.origin, 'deviceCode');
    assert.equal(typeof status.expiresAtUnixMs, 'number');
  });

  test('an access token can be had for other libraries', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const { token, mailbox } = await mailbearer.accessToken('billing');
    assert.equal(mailbox, sandbox.facts.shared_mailbox);
    assert.ok((await sandbox.call('GET', '/secrets')).includes(token));
  });
});

describe('sending', () => {
  test('delivers, with the verdict on each recipient', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const delivery = await mailbearer.send(invoice());
    assert.deepEqual(
      delivery.recipients.map(({ address, verdict }) => [address, verdict]),
      [[sandbox.facts.bob.address, 'accepted']],
    );
    const [mail] = await sandbox.takeMails();
    assert.match(mail.mime.toString(), /^Subject: Your invoice\r$/m);
  });

  const octets = Buffer.from([0, 1, 2, 253, 254, 255]);
  for (const [form, data] of [
    ['a Buffer', octets],
    ['a Uint8Array', new Uint8Array(octets)],
    ['a part of a larger buffer', new Uint8Array([9, ...octets, 9]).subarray(1, 7)],
    ['base64 text', octets.toString('base64')],
  ]) {
    test(`takes an attachment as ${form}`, async () => {
      await mailbearer.addAccount(sandbox.billing);
      const attachments = [{ name: 'invoice.bin', content: { type: 'data', data } }];
      await mailbearer.send(invoice({ attachments }));
      const [mail] = await sandbox.takeMails();
      assert.ok(mail.mime.includes(octets.toString('base64')), mail.mime.toString());
    });
  }

  test('sends finished octets as they are', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const mime = Buffer.from(`From: ${sandbox.billing.mailbox}\r\nSubject: raw\r\n\r\nas it is\r\n`);
    const envelope = { account: 'billing', recipients: [sandbox.facts.bob.address] };
    await mailbearer.sendRaw(envelope, mime);
    const [mail] = await sandbox.takeMails();
    assert.deepEqual(mail.mime, mime);
  });

  test('as many at once as Exchange permits', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const deliveries = await Promise.all(Array.from({ length: 3 }, () => mailbearer.send(invoice())));
    assert.equal(new Set(deliveries.map(({ id }) => id)).size, 3);
    assert.equal((await sandbox.takeMails()).length, 3);
  });
});

describe('errors', () => {
  test('carry the whole problem and a stack that leads to the caller', async () => {
    async function theCaller() {
      await mailbearer.tokenStatus('nobody');
    }
    const error = await theCaller().catch((caught) => caught);
    assert.ok(error instanceof MailbearerError && error instanceof Error);
    const { name, message, kind, code, retry, operation, recipients, problem, stack } = error;
    assert.deepEqual(
      { name, kind, retry, operation, recipients },
      { name: 'MailbearerError', kind: 'misuse', retry: { type: 'never' }, operation: 'token_status', recipients: [] },
    );
    assert.ok(code && error.fix);
    assert.equal(message, problem.text);
    assert.ok(stack.startsWith(`MailbearerError: ${message}`));
    assert.match(stack, /theCaller/);
    assert.ok(!Object.keys(error).includes('name'));
  });

  test('hold the verdicts when nobody was accepted', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const address = 'gone@contoso.example';
    await sandbox.call('POST', '/refused-recipients', { address, reply: 'recipient-not-found' });
    const error = await mailbearer.send(invoice({ to: [{ address }] })).catch((caught) => caught);
    assert.equal(error.kind, 'rejected');
    assert.equal(error.code, 'recipient-not-found');
    assert.equal(error.recipients[0].verdict, 'refused');
    assert.equal(error.recipients[0].reply.code, 550);
  });

  test('of a closed handle', async () => {
    await mailbearer.close();
    await mailbearer.close();
    await assert.rejects(mailbearer.accounts(), { name: 'MailbearerError', kind: 'misuse', code: 'handle-closed' });
  });

  for (const [what, call, expected] of [
    ['an unknown field', () => mailbearer.send(invoice({ recipient: 'x' })), /unknown field `recipient`/],
    ['a wrong type', () => mailbearer.send(invoice({ subject: 7 })), /expected a string/],
    ['a function', () => mailbearer.send(invoice({ subject: () => 'x' })), /Function/],
    ['nothing', () => mailbearer.send(), /expected struct Message/],
    ['an unknown flow', () => mailbearer.beginSignIn('x', 'carrierPigeon'), /unknown variant `carrierPigeon`/],
    ['base64 that is none', () => mailbearer.sendRaw({ account: 'x', recipients: [] }, '*'), /base64/],
  ]) {
    test(`of the program: ${what} rejects and changes nothing`, async () => {
      await assert.rejects(call(), { message: expected });
      assert.deepEqual(await sandbox.takeMails(), []);
    });
  }

  test('show no secret', async () => {
    const secret = 'a-secret-nobody-must-see';
    const grant = { type: 'clientSecret', clientSecret: secret };
    await mailbearer.addAccount({ ...sandbox.billing, grant });
    const error = await mailbearer.accessToken('billing').catch((caught) => caught);
    assert.ok(error instanceof MailbearerError);
    assert.ok(!inspect(error, { depth: null, showHidden: true }).includes(secret));
  });
});

describe('events', () => {
  test('come in order from the moment they are asked for, and end with the handle', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const events = mailbearer.events();
    const delivery = await mailbearer.send(invoice());
    await sandbox.takeMails();
    await mailbearer.close();
    const seen = [];
    for await (const event of events) seen.push(event);
    assert.deepEqual(
      seen.map(({ type }) => type),
      ['tokenObtained', 'mailAccepted'],
    );
    assert.equal(seen[1].delivery, delivery.id);
  });

  test('end a wait that had begun before the handle was closed', async () => {
    const next = mailbearer.events().next();
    await mailbearer.close();
    assert.deepEqual(await next, { value: undefined, done: true });
  });

  test('can be left early', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const events = mailbearer.events();
    await mailbearer.accessToken('billing');
    for await (const event of events) {
      assert.equal(event.type, 'tokenObtained');
      break;
    }
    assert.deepEqual(await events.next(), { value: undefined, done: true });
  });
});

describe('the event loop', () => {
  test('turns while a call waits for a server', async () => {
    const silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const endpoints = { ...sandbox.billing.endpoints, authority: `http://127.0.0.1:${silent.address().port}` };
    await mailbearer.addAccount({ ...sandbox.billing, endpoints });
    const token = mailbearer.accessToken('billing').catch((error) => error);
    // The call waits for an answer, and this callback of the loop ends its wait.
    const [socket] = await once(silent, 'connection');
    socket.destroy();
    silent.close();
    assert.equal((await token).kind, 'unavailable');
  });

  test('works in several threads at once', async () => {
    const answer = async () => {
      const worker = new Worker(join(__dirname, 'worker.js'));
      const [code] = await once(worker, 'message');
      return code;
    };
    assert.deepEqual(await Promise.all([answer(), answer(), answer()]), Array(3).fill('handle-closed'));
  });
});

test('explains a failure seen elsewhere', () => {
  const text = '535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.';
  const [best] = mailbearer.explain({ evidence: [{ kind: 'smtp_reply', text }] });
  assert.equal(best.code, 'smtp-auth-disabled-tenant');
  assert.ok(best.confidence > 0 && best.confidence <= 1);
});

test('ES modules import it by name', async () => {
  const module = await import('mailbearer');
  assert.equal(module.Mailbearer, Mailbearer);
  assert.equal(module.MailbearerError, MailbearerError);
});
