// Makes elements and words. Text goes in as text, never as markup: whatever a mail says stays words.

/** An element with attributes and children; strings become text, null and false are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === true) made.setAttribute(key, "");
    else if (value !== false && value != null) made.setAttribute(key, value);
  }
  made.append(...children.filter((child) => child != null && child !== false));
  return made;
}

export function byId(id) {
  return document.getElementById(id);
}

/** A copy of what a template holds. */
export function fromTemplate(id) {
  return byId(id).content.firstElementChild.cloneNode(true);
}

/** "Anna Berg", or the address if there is no name. */
export function shortName(mailbox) {
  return mailbox.name || mailbox.address;
}

/** "Anna Berg <anna@contoso.test>". */
export function fullName(mailbox) {
  return mailbox.name ? `${mailbox.name} <${mailbox.address}>` : mailbox.address;
}

export function count(number, one, many) {
  return `${number.toLocaleString()} ${number === 1 ? one : many}`;
}

export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${decimal.format(bytes / 1000)} kB`;
  return `${decimal.format(bytes / 1_000_000)} MB`;
}

/** A time element: the clock for today, otherwise the day. */
export function shortTime(unixMs) {
  const isToday = new Date(unixMs).toDateString() === new Date().toDateString();
  return time(unixMs, isToday ? clock : day);
}

/** A time element with day and clock. */
export function longTime(unixMs) {
  return time(unixMs, dayAndClock);
}

function time(unixMs, format) {
  const date = new Date(unixMs);
  if (Number.isNaN(date.getTime())) return element("span", {}, "–");
  return element("time", { datetime: date.toISOString(), title: dayAndClock.format(date) }, format.format(date));
}

const decimal = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const dayAndClock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
