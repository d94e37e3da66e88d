// Between people's values and the native module: calls with their cancellation, and attachments of every kind.
// It decides nothing: every decision is the core's.

'use strict';

const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const { MailbearerError, misuse } = require('./errors.js');

/**
 * Calls a function of the native module, and throws what it came to. The error is made here, so that its stack leads to
 * the caller. With a signal, the work is dropped as soon as it aborts.
 */
async function call(target, method, args, { signal } = {}) {
  signal?.throwIfAborted();
  const cancellation = signal && new native.Cancellation();
  const abort = () => cancellation.request();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const { value, problem, cancelled } = await begin(target, method, [...args, cancellation]);
    if (cancelled) throw signal.reason;
    if (problem) throw new MailbearerError(problem);
    return value ?? undefined;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

/** Calls a function that waits for nothing. */
function callNow(target, method, args) {
  return begin(target, method, args);
}

function begin(target, method, args) {
  const operation = method.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  args.forEach((argument) => checkDepth(argument, operation));
  try {
    return target[method](...args);
  } catch (error) {
    throw unlike(error, operation);
  }
}

/** What the native module says of a value that does not have the form asked for. */
function unlike(error, operation) {
  if (error instanceof MailbearerError) return error;
  const text = `an argument does not have the form asked for: ${error.message}`;
  return misuse('argument-invalid', text, 'compare it with the types in types.d.ts', operation);
}

/** A value that contains itself would be walked for ever. */
function checkDepth(value, operation, depth = 0) {
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if (depth > MAX_DEPTH) {
    const text = `an argument is nested more than ${MAX_DEPTH} deep, or contains itself`;
    throw misuse('argument-invalid', text, 'give plain data, as in types.d.ts', operation);
  }
  for (const part of Object.values(value)) checkDepth(part, operation, depth + 1);
}

const MAX_DEPTH = 16;

/** A message whose attachments are octets or paths, as the core takes them. */
async function prepareMessage(message) {
  if (!Array.isArray(message?.attachments)) return message;
  return { ...message, attachments: await Promise.all(message.attachments.map(prepareAttachment)) };
}

async function prepareAttachment(attachment) {
  if (typeof attachment !== 'object' || attachment === null) return attachment;
  const content = await prepareContent(attachment.content);
  const { name = lastPart(attachment.content) } = attachment;
  return name === undefined ? { ...attachment, content } : { ...attachment, name, content };
}

/** What an attachment is made of: octets, a file's URL, a Blob, a stream, or what the core takes as it is. */
async function prepareContent(content) {
  if (typeof content !== 'object' || content === null) return content;
  if (isOctets(content)) return { type: 'data', data: octets(content) };
  if (typeof content.href === 'string') return { type: 'file', path: fileURLToPath(content.href) };
  if (typeof content.arrayBuffer === 'function') return { type: 'data', data: Buffer.from(await content.arrayBuffer()) };
  if (Symbol.asyncIterator in content) return { type: 'data', data: await readAll(content) };
  return isOctets(content.data) ? { ...content, data: octets(content.data) } : content;
}

function isOctets(value) {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function octets(value) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.from(value);
}

async function readAll(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : octets(chunk));
  return Buffer.concat(chunks);
}

/** The name of a file that is streamed; the core itself names those it reads. */
function lastPart({ path, type } = {}) {
  return typeof path === 'string' && type === undefined ? path.split(/[\\/]/).pop() : undefined;
}

/** Octets of any kind; text stays what it is, base64. */
async function prepareBytes(bytes) {
  return isOctets(bytes) ? octets(bytes) : bytes;
}

/** Events as they happen. The native reader exists from now on: nothing that happens before iteration is lost. */
function readEvents(reader, { signal } = {}) {
  return iterate(reader, signal);
}

async function* iterate(reader, signal) {
  // An event that is not taken yet stays with the reader when a wait is dropped.
  for (;;) {
    const event = await call(reader, 'next', [], { signal });
    if (!event) return;
    yield event;
  }
}

module.exports = { call, callNow, native, prepareBytes, prepareMessage, readEvents };
