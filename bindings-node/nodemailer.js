// Mailbearer as a transport of nodemailer, and as its source of tokens.

'use strict';

const { buffer } = require('node:stream/consumers');
const { version } = require('./package.json');
const { MailbearerError } = require('./errors.js');

/** A transport for `nodemailer.createTransport`: nodemailer builds the mail, Mailbearer sends it. */
function mailbearerTransport({ mailbearer, account }) {
  return {
    name: 'Mailbearer',
    version,
    supportsAbortSignal: true,
    send({ message, data }, callback) {
      const sent = send(mailbearer, account, message, { signal: data?.signal });
      sent.then((info) => callback(null, info), (error) => callback(inItsWords(error)));
    },
    verify(callback) {
      const verified = mailbearer.accessToken(account).then(() => true);
      if (!callback) return verified;
      verified.then((ready) => callback(null, ready), callback);
    },
    isIdle: () => true,
    close() {}, // the handle is the program's own
  };
}

/** The `auth` of nodemailer's own SMTP transport, with tokens from Mailbearer. */
function mailbearerAuth({ mailbearer, account, user }) {
  let given; // nodemailer says that the server refused its token, but not which one that was
  return {
    type: 'OAuth2',
    user,
    provisionCallback(_user, renew, callback) {
      const obtaining = renew && given ? mailbearer.accessTokenAfter(account, given) : mailbearer.accessToken(account);
      obtaining.then(({ token, expiresAtUnixMs }) => {
        given = token;
        callback(null, token, expiresAtUnixMs);
      }, callback);
    },
  };
}

async function send(mailbearer, account, message, options) {
  const envelope = message.getEnvelope();
  const mime = await buffer(message.createReadStream());
  const sender = envelope.from || undefined;
  const delivery = await mailbearer.sendRaw({ account, sender, recipients: envelope.to }, mime, options);
  const { code, enhancedStatus, text } = delivery.reply;
  return {
    envelope,
    messageId: message.messageId(),
    messageSize: mime.length,
    response: [code, enhancedStatus, text].filter(Boolean).join(' '),
    ...sorted(delivery.recipients),
    delivery,
  };
}

/** Recipients as nodemailer tells them apart. */
function sorted(recipients) {
  const refused = recipients.filter(({ verdict }) => verdict !== 'accepted');
  return {
    accepted: recipients.filter(({ verdict }) => verdict === 'accepted').map(({ address }) => address),
    rejected: refused.map(({ address }) => address),
    rejectedErrors: refused.map(refusal),
  };
}

function refusal({ address, code, fix, reply }) {
  const error = new Error(`${code}: ${address}`);
  return Object.assign(error, { recipient: address, code, fix, responseCode: reply?.code, response: reply?.text });
}

/** The error with the fields that programs written for nodemailer look at, beside its own. */
function inItsWords(error) {
  if (!(error instanceof MailbearerError)) return error;
  const first = error.recipients.find(({ reply }) => reply);
  const responseCode = first?.reply.code ?? Number(/^\d{3}/.exec(error.answer ?? '')?.[0] ?? NaN);
  if (responseCode) error.responseCode = responseCode;
  error.response = first?.reply.text ?? error.answer;
  return Object.assign(error, sorted(error.recipients));
}

module.exports = { mailbearerAuth, mailbearerTransport };
