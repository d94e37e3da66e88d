// The log of the core, record by record.

'use strict';

const native = require('./native.js');
const { MailbearerError, misuse } = require('./errors.js');

/** Hands every record of `level` and above to `listener`; without one, to nobody. */
function setLogger(listener, { level = 'info' } = {}) {
  if (listener === null || listener === undefined) return native.stopLog();
  if (typeof listener !== 'function') {
    throw misuse('argument-invalid', 'the listener of the log is no function', 'give a function of one record, or null', 'set_logger');
  }
  let outcome;
  try {
    outcome = native.forwardLog(level, listener);
  } catch (error) {
    throw misuse('argument-invalid', `no such level: ${error.message}`, 'give error, warn, info, debug or trace', 'set_logger');
  }
  if (outcome.problem) throw new MailbearerError(outcome.problem);
}

module.exports = { setLogger };
