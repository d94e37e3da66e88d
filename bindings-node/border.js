// Between people's values and the native module: calls with their cancellation, and octets of every kind.
// It decides nothing: every decision is the core's.

'use strict';

const { addAbortSignal, Readable } = require('node:stream');
const { fileURLToPath } = require('node:url');
const native = require('./native.js');
const { MailbearerError, misuse } = require('./errors.js');

/**
 * Calls a function of the native module that waits, and throws what it came to. The error is made here, so that its
 * stack leads to the caller. The work is dropped as soon as the signal aborts; a cancellation of the caller's own, which
 * says nothing of why, makes it come to `undefined`.
 */
async function call(target, method, args, options, cancellation) {
  const signal = signalOf(options);
  if (signal?.aborted) throw signal.reason;
  if (signal) cancellation ??= new native.Cancellation();
  const abort = () => cancellation.request();
  signal?.addEventListener('abort', abort, { once: true });
  try {
    const { value, problem, cancelled } = await begin(target, method, [...args, cancellation]);
    if (cancelled && signal?.aborted) throw signal.reason;
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
  for (const argument of args) checkPlain(argument, operation, [], []);
  try {
    return target[method](...args);
  } catch (error) {
    throw unfit(error.message, operation);
  }
}

function unfit(text, operation) {
  const fix = 'compare the argument with the types in types.d.ts';
  return misuse('argument-invalid', `an argument does not have the form asked for: ${text}`, fix, operation);
}

/** A value that contains itself would be walked for ever, one that is nested too deeply until the stack ends. */
function checkPlain(value, operation, place, ancestors) {
  const fail = (what) => unfit(place.length > 0 ? `${place.join('.')}: ${what}` : what, operation);
  if (typeof value === 'function' || typeof value === 'symbol') throw fail(`a ${typeof value} is no data`);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return;
  if (ancestors.includes(value)) throw fail('it contains itself');
  if (ancestors.length > MAX_DEPTH) throw fail(`it is nested more than ${MAX_DEPTH} deep`);
  ancestors.push(value);
  for (const key of Object.keys(value)) {
    place.push(key);
    checkPlain(value[key], operation, place, ancestors);
    place.pop();
  }
  ancestors.pop();
}

const MAX_DEPTH = 16;

function signalOf(options) {
  const signal = options?.signal ?? undefined;
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw misuse('argument-invalid', 'the signal is no AbortSignal', 'give the signal of an AbortController');
  }
  return signal;
}

/** A message whose attachments are octets or paths, as the core takes them. */
async function prepareMessage(message, options) {
  if (!Array.isArray(message?.attachments)) return message;
  const signal = signalOf(options);
  if (signal?.aborted) throw signal.reason; // before any stream is touched
  const prepared = message.attachments.map((attachment) => prepareAttachment(attachment, signal));
  return { ...message, attachments: await Promise.all(prepared) };
}

async function prepareAttachment(attachment, signal) {
  if (typeof attachment !== 'object' || attachment === null) return attachment;
  const content = await prepareContent(attachment.content, signal);
  const { name = lastPart(attachment.content) } = attachment;
  return name === undefined ? { ...attachment, content } : { ...attachment, name, content };
}

/** What an attachment is made of: octets, a file's URL, a Blob, a stream, or what the core takes as it is. */
async function prepareContent(content, signal) {
  if (typeof content !== 'object' || content === null) return content;
  if (content instanceof URL) return { type: 'file', path: pathOf(content) };
  const bytes = await prepareBytes(content, { signal });
  if (bytes !== content || isOctets(content)) return { type: 'data', data: bytes };
  if (content.type === 'data') return { ...content, data: await prepareBytes(content.data, { signal }) };
  if (content.type === 'file' && content.path instanceof URL) return { ...content, path: pathOf(content.path) };
  return content;
}

/** Octets of any kind as a `Uint8Array`. Whatever else it is goes on as it is: text is base64. */
async function prepareBytes(bytes, options) {
  if (isOctets(bytes)) return octets(bytes);
  if (typeof bytes !== 'object' || bytes === null) return bytes;
  if (bytes instanceof Blob) return Buffer.from(await bytes.arrayBuffer());
  if (Symbol.asyncIterator in bytes) return readAll(bytes, signalOf(options));
  return bytes;
}

function isOctets(value) {
  return ArrayBuffer.isView(value) || value instanceof ArrayBuffer || value instanceof SharedArrayBuffer;
}

function octets(value) {
  if (value instanceof Uint8Array) return value;
  if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  return Buffer.from(value);
}

function pathOf(url) {
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw unreadable(error);
  }
}

/** All of a stream, which is destroyed when the signal aborts. */
async function readAll(source, signal) {
  if (source.readableEnded) throw unreadable(new Error('the stream has been read before'));
  const stream = source instanceof Readable ? source : Readable.from(source);
  if (signal) addAbortSignal(signal, stream);
  const chunks = [];
  try {
    for await (const chunk of stream) chunks.push(typeof chunk === 'string' ? Buffer.from(chunk) : octets(chunk));
  } catch (error) {
    throw signal?.aborted ? signal.reason : unreadable(error);
  }
  return Buffer.concat(chunks);
}

function unreadable(cause) {
  const error = new MailbearerError({
    kind: 'rejected',
    code: 'attachment-unreadable',
    text: `attachment cannot be read: ${cause.message}`,
    fix: 'give octets, a file: URL, or a fresh stream of octets or text',
    retry: { type: 'never' },
    operation: 'send',
    recipients: [],
  });
  error.cause = cause;
  return error;
}

/** The name of a file that is streamed; the core itself names those it reads. */
function lastPart(content) {
  const path = content instanceof Readable ? content.path : undefined;
  return typeof path === 'string' ? path.split(/[\\/]/).pop() : undefined;
}

/** Events as they happen. The native reader exists from now on: nothing that happens before iteration is lost. */
class EventIterator {
  #reader;
  #options;
  #leaving = new native.Cancellation();
  #hasEnded = false;

  constructor(reader, options) {
    signalOf(options);
    this.#reader = reader;
    this.#options = options;
  }

  async next() {
    if (this.#hasEnded) return END;
    // An event that is not taken yet stays with the reader when a wait is dropped.
    const value = await call(this.#reader, 'next', [], this.#options, this.#leaving);
    if (value === undefined) return this.return();
    return { value, done: false };
  }

  /** What `break` calls: waits that are under way end, and nothing is read any more. */
  async return() {
    this.#hasEnded = true;
    this.#leaving.request();
    this.#reader = undefined;
    return END;
  }

  [Symbol.asyncIterator]() {
    return this;
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.return();
  }
}

const END = Object.freeze({ value: undefined, done: true });

function readEvents(reader, options) {
  return new EventIterator(reader, options);
}

module.exports = { call, callNow, native, prepareBytes, prepareMessage, readEvents };
