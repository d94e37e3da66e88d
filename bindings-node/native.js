// Finds the native module for this system: beside this file, or in the package that npm installed for it.

'use strict';

const { existsSync } = require('node:fs');
const { join } = require('node:path');

const SYSTEM = system();

/** `linux-x64-gnu`, `linux-x64-musl`, `darwin-arm64`, `win32-x64-msvc` and the like. */
function system() {
  const { platform, arch } = process;
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`;
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`;
}

/** Whether this Node was built for musl: it then reports no version of glibc. */
function isMusl() {
  process.report.excludeNetwork = true; // a report otherwise looks up the names of all open connections
  return !process.report.getReport().header.glibcVersionRuntime;
}

function load() {
  const beside = join(__dirname, `mailbearer.${SYSTEM}.node`);
  if (existsSync(beside)) return require(beside);
  const name = `@mailbearer/${SYSTEM}`;
  try {
    return require(name);
  } catch (error) {
    const reason = error.code === 'MODULE_NOT_FOUND' ? 'it is not installed' : error.message;
    throw new Error(
      `mailbearer has no native module for ${SYSTEM}: ${name}: ${reason}. ` +
        'Install again without --omit=optional (--no-optional), on the system where it will run.',
      { cause: error },
    );
  }
}

module.exports = load();
