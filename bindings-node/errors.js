// The one error of the package.

'use strict';

/** A failure with its cause and the next step. Its message is the problem's text. */
class MailbearerError extends Error {
  constructor(problem) {
    super(problem.text);
    const { kind, code, fix, retry, operation, answer, recipients = [] } = problem;
    Object.assign(this, { kind, code, fix, retry, operation, answer, recipients });
    Object.defineProperty(this, 'problem', { value: problem }); // it repeats the others: not shown again
  }
}
MailbearerError.prototype.name = 'MailbearerError';

/** An error of the program: a value that does not have the form asked for. */
function misuse(code, text, fix, operation = '') {
  return new MailbearerError({ kind: 'misuse', code, text, fix, retry: { type: 'never' }, operation, recipients: [] });
}

module.exports = { MailbearerError, misuse };
