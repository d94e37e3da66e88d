// What people see: the handle, its error, and the log.

'use strict';

const { MailbearerError } = require('./errors.js');
const { Mailbearer } = require('./handle.js');
const { setLogger } = require('./log.js');

module.exports = { Mailbearer, MailbearerError, setLogger };
