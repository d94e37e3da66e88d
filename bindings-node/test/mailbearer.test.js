// The package against the sandbox: what goes in and out, errors, events, and the event loop.

'use strict';

const assert = require('node:assert/strict');
const { getEventListeners, once } = require('node:events');
const { createServer } = require('node:net');
const { join } = require('node:path');
const { createReadStream, mkdtempSync, writeFileSync } = require('node:fs');
const { tmpdir } = require('node:os');
const { Readable } = require('node:stream');
const { pathToFileURL } = require('node:url');
const { after, afterEach, before, beforeEach, describe, test } = require('node:test');
const { inspect } = require('node:util');
const { Mailbearer, MailbearerError, setLogger } = require('mailbearer');
const { Sandbox } = require('mailbearer/sandbox');

let sandbox;
let mailbearer;

before(async () => {
  sandbox = await Sandbox.start();
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
    await sandbox.approveDevice(prompt.userCode);
    const status = await mailbearer.finishSignIn(prompt);
    assert.equal(status.state, 'valid');
    assert.equal(status.origin, 'deviceCode');
    assert.equal(typeof status.expiresAtUnixMs, 'number');
  });

  test('an access token can be had for other libraries', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const { token, mailbox } = await mailbearer.accessToken('billing');
    assert.equal(mailbox, sandbox.facts.shared_mailbox);
    assert.ok((await sandbox.secrets()).includes(token));
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
  const file = join(mkdtempSync(join(tmpdir(), 'mailbearer-node-')), 'invoice.bin');
  writeFileSync(file, octets);
  const data = (data) => ({ type: 'data', data });
  for (const [form, content, name = 'invoice.bin'] of [
    ['a Buffer', () => data(octets)],
    ['a Uint8Array', () => data(new Uint8Array(octets))],
    ['a part of a larger buffer', () => data(new Uint8Array([9, ...octets, 9]).subarray(1, 7))],
    ['other numbers', () => data(new Uint16Array(new Uint8Array(octets).buffer))],
    ['an ArrayBuffer', () => data(new Uint8Array(octets).buffer)],
    ['base64 text', () => data(octets.toString('base64'))],
    ['bare octets', () => octets],
    ['a path', () => ({ type: 'file', path: file }), undefined],
    ['a URL', () => pathToFileURL(file), undefined],
    ['a Blob', () => new Blob([octets])],
    ['a stream of a file', () => createReadStream(file), undefined],
    ['a stream', () => Readable.from([octets.subarray(0, 2), octets.subarray(2)])],
    ['a generator', async function* () { yield octets; }],
  ]) {
    test(`takes an attachment as ${form}`, async () => {
      await mailbearer.addAccount(sandbox.billing);
      const attachment = { content: content() };
      if (name) attachment.name = name;
      await mailbearer.send(invoice({ attachments: [attachment] }));
      const [mail] = await sandbox.takeMails();
      const text = mail.mime.toString();
      assert.ok(text.includes(octets.toString('base64')), text);
      assert.match(text, /filename="?invoice\.bin/);
    });
  }

  for (const [form, mime] of [
    ['a Blob', (octets) => new Blob([octets])],
    ['a stream', (octets) => Readable.from([octets.subarray(0, 9), octets.subarray(9)])],
    ['a web stream', (octets) => new Blob([octets]).stream()],
  ]) {
    test(`sends finished octets from ${form}`, async () => {
      await mailbearer.addAccount(sandbox.billing);
      const octets = Buffer.from(`From: ${sandbox.billing.mailbox}\r\nSubject: raw\r\n\r\nas it is\r\n`);
      await mailbearer.sendRaw({ account: 'billing', recipients: [sandbox.facts.bob.address] }, mime(octets));
      const [mail] = await sandbox.takeMails();
      assert.deepEqual(mail.mime, octets);
    });
  }

  test('a stream is destroyed when the signal aborts', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const controller = new AbortController();
    const content = new Readable({ read() { controller.abort(); } }); // it never gives anything
    const sent = mailbearer.send(invoice({ attachments: [{ name: 'x', content }] }), { signal: controller.signal });
    await assert.rejects(sent, { name: 'AbortError' });
    assert.ok(content.destroyed);
  });

  for (const [what, content] of [
    ['a stream that has been read', async () => { const stream = Readable.from(['x']); await stream.toArray(); return stream; }],
    ['a stream of objects', async () => Readable.from([{ x: 1 }])],
    ['a URL of another kind', async () => new URL('https://contoso.example/invoice.pdf')],
    ['a path that leads nowhere', async () => ({ type: 'file', path: '/nowhere/invoice.pdf' })],
  ]) {
    test(`refuses ${what}`, async () => {
      await mailbearer.addAccount(sandbox.billing);
      const attachments = [{ name: 'x', content: await content() }];
      await assert.rejects(mailbearer.send(invoice({ attachments })), { kind: 'rejected', code: 'attachment-unreadable' });
      assert.deepEqual(await sandbox.takeMails(), []);
    });
  }

  test('a stream that breaks rejects and sends nothing', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const content = new Readable({ read() { this.destroy(new Error('the disk is gone')); } });
    await assert.rejects(mailbearer.send(invoice({ attachments: [{ name: 'x', content }] })), /the disk is gone/);
    assert.deepEqual(await sandbox.takeMails(), []);
  });

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

  const deep = (depth) => (depth ? { deeper: deep(depth - 1) } : {});
  const circular = {};
  circular.itself = circular;
  for (const [what, call, expected] of [
    ['an unknown field', () => mailbearer.send(invoice({ recipient: 'x' })), /unknown field `recipient`/],
    ['a wrong type', () => mailbearer.send(invoice({ subject: 7 })), /subject: .*expected a string/],
    ['a wrong type deep inside', () => mailbearer.send(invoice({ to: [{ address: 'a@b.example' }, { address: 7 }] })), /to\[1\]\.address/],
    ['a missing field', () => mailbearer.addAccount({ name: 'x' }), /missing field `mailbox`/],
    ['a function', () => mailbearer.send(invoice({ subject: () => 'x' })), /subject: a function/],
    ['an object that contains itself', () => mailbearer.send(invoice({ custom: circular })), /contains itself/],
    ['an object without end', () => mailbearer.explain({ context: { x: deep(5000) } }), /nested/],
    ['a wrong type beside octets', () => mailbearer.send(invoice({ subject: 7, attachments: [{ name: 'x', content: Buffer.from('x') }] })), /subject: invalid type: integer, expected a string/],
    ['a signal that is none', () => mailbearer.accounts({ signal: 7 }), /AbortSignal/],
    ['a chunk that is no octets', () => mailbearer.sendRaw({ account: 'x', recipients: [] }, [{}]), /invalid type: map, expected/],
    ['a name that is none', () => mailbearer.tokenStatus(7), /expected a string/],
    ['no name at all', () => mailbearer.tokenStatus(), /expected a string/],
    ['nothing', () => mailbearer.send(), /expected struct Message/],
    ['an unknown flow', () => mailbearer.beginSignIn('x', 'carrierPigeon'), /unknown variant `carrierPigeon`/],
    ['base64 that is none', () => mailbearer.sendRaw({ account: 'x', recipients: [] }, '*'), /base64/],
  ]) {
    test(`of the program: ${what} rejects and changes nothing`, async () => {
      const expectation = { name: 'MailbearerError', kind: 'misuse', code: 'argument-invalid', message: expected };
      await assert.rejects(async () => call(), expectation);
      assert.deepEqual(await sandbox.takeMails(), []);
    });
  }

  const misplaced = 'a-secret-in-the-wrong-place';
  for (const [where, call] of [
    ['a grant', () => mailbearer.addAccount({ ...sandbox.billing, grant: misplaced })],
    ['a passphrase', () => Mailbearer.open({ vault: { type: 'file', path: 'x', passphrase: misplaced } })],
    ['a configuration', () => Mailbearer.open(misplaced)],
    ['a number', () => mailbearer.addAccount({ ...sandbox.billing, grant: { type: 'clientSecret', clientSecret: 20261125 } })],
  ]) {
    test(`do not repeat what was given in the place of ${where}`, async () => {
      const error = await call().catch((caught) => caught);
      assert.equal(error.code, 'argument-invalid');
      assert.doesNotMatch(inspect(error, { depth: null, showHidden: true }).split('\n    at ')[0], /wrong-place|20261125/);
      assert.doesNotMatch(JSON.stringify(error.problem), /wrong-place|20261125/);
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

  test('end a wait when they are left', async () => {
    const events = mailbearer.events();
    const next = events.next();
    await events.return();
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

describe('cancellation', () => {
  let silent;

  before(async () => {
    silent = createServer().listen(0, '127.0.0.1');
    await once(silent, 'listening');
  });

  after(() => silent.close());

  /** An account whose identity provider never answers. */
  async function addStuck() {
    const endpoints = { ...sandbox.billing.endpoints, authority: `http://127.0.0.1:${silent.address().port}` };
    await mailbearer.addAccount({ ...sandbox.billing, endpoints });
  }

  test('a signal ends the wait with its reason', async () => {
    await addStuck();
    const controller = new AbortController();
    const sent = mailbearer.send(invoice(), { signal: controller.signal });
    await once(silent, 'connection');
    const reason = new Error('changed my mind');
    controller.abort(reason);
    await assert.rejects(sent, reason);
    assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    // What was dropped holds nothing up: closing waits for deliveries in flight.
    await mailbearer.close();
  });

  test('a signal of a time limit does so, too', async () => {
    await addStuck();
    await assert.rejects(mailbearer.accessToken('billing', { signal: AbortSignal.timeout(20) }), { name: 'TimeoutError' });
  });

  test('an aborted signal begins nothing', async () => {
    await mailbearer.addAccount(sandbox.billing);
    await assert.rejects(mailbearer.send(invoice(), { signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.deepEqual(await sandbox.takeMails(), []);
  });

  test('a signal that never aborts keeps no listener', async () => {
    const { signal } = new AbortController();
    for (let count = 0; count < 100; count += 1) await mailbearer.accounts({ signal });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  test('a wait for an event that is dropped loses none', async () => {
    await mailbearer.addAccount(sandbox.billing);
    const events = mailbearer.events({ signal: AbortSignal.timeout(20) });
    await assert.rejects(events.next(), { name: 'TimeoutError' });
    const later = mailbearer.events();
    const early = AbortSignal.timeout(20);
    const abandoned = mailbearer.events({ signal: early });
    await assert.rejects(abandoned.next(), { name: 'TimeoutError' });
    await mailbearer.accessToken('billing');
    assert.equal((await later.next()).value.type, 'tokenObtained');
  });
});

describe('faults of ours', () => {
  test('are errors of kind internal, and the process lives on', async () => {
    const { call, native } = require('../border.js');
    const handle = await call(native, 'open', [{}]);
    await assert.rejects(call(handle, 'panicForTests', []), { name: 'MailbearerError', kind: 'internal', code: 'panicked' });
    assert.deepEqual(await call(handle, 'accounts', []), []);
  });
});

describe('the log', () => {
  afterEach(() => setLogger(null));

  test('reaches a function, at the level asked for and without secrets', async () => {
    const records = [];
    setLogger((record) => records.push(record), { level: 'debug' });
    await mailbearer.addAccount(sandbox.billing);
    await mailbearer.send(invoice());
    await new Promise(setImmediate);
    await sandbox.takeMails();
    const accepted = records.find(({ text }) => text === 'mail accepted');
    assert.equal(accepted.level, 'info');
    assert.equal(accepted.fields.account, 'billing');
    assert.ok(records.some(({ level }) => level === 'debug'));
    assert.ok(records.every(({ target }) => target.startsWith('mailbearer')));
    const shown = JSON.stringify(records);
    for (const secret of await sandbox.secrets()) assert.ok(!shown.includes(secret));
  });

  test('is silent above its level and after it was let go of', async () => {
    const records = [];
    setLogger((record) => records.push(record), { level: 'error' });
    await mailbearer.addAccount(sandbox.billing);
    await mailbearer.send(invoice());
    setLogger(null);
    await mailbearer.send(invoice());
    await new Promise(setImmediate);
    await sandbox.takeMails();
    assert.deepEqual(records, []);
  });

  test('takes a function and a level, and nothing else', () => {
    for (const [listener, options] of [[7], [() => {}, { level: 'loud' }]]) {
      assert.throws(() => setLogger(listener, options), { name: 'MailbearerError', kind: 'misuse' });
    }
  });
});

describe('the event loop', () => {
  test('turns while a thousand mails are on their way', async () => {
    await mailbearer.addAccount(sandbox.billing);
    let beats = 0;
    const heart = setInterval(() => { beats += 1; }, 5);
    const started = performance.now();
    let next = 0;
    const worker = async () => {
      while (next < 1000) {
        next += 1;
        await mailbearer.send(invoice()).catch((error) => assert.equal(error.kind, 'throttled', error.message));
      }
    };
    await Promise.all([worker(), worker(), worker()]);
    clearInterval(heart);
    const missed = 1 - beats / ((performance.now() - started) / 5);
    assert.ok(missed < 0.9, `${beats} beats`);
    await sandbox.takeMails();
  });

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
