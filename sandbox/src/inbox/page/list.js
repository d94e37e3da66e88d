// The list of mails: keeps its rows when it is renewed, so that focus and scroll position stay where they are.

import { byId, count, element, shortName, shortTime } from "./dom.js";

const list = byId("list");
const rows = new Map();
const opened = new Set();

/** Shows one answer of `GET /api/mails`. */
export function showList(listing, search) {
  // Ids begin anew when the sandbox is started again, so they alone do not tell mails apart.
  const arrivals = new Map(listing.mails.map((mail) => [mail.id, String(mail.receivedAtUnixMs)]));
  for (const [id, row] of rows) {
    if (arrivals.get(id) === row.dataset.arrival) continue;
    moveFocusOff(row);
    row.remove();
    rows.delete(id);
    opened.delete(id);
  }
  let position = list.firstElementChild;
  for (const mail of listing.mails) {
    const row = rows.get(mail.id) ?? makeRow(mail);
    if (row === position) position = row.nextElementSibling;
    else list.insertBefore(row, position);
  }
  byId("count").textContent = search
    ? `${listing.matches.toLocaleString()} of ${count(listing.total, "mail", "mails")}`
    : count(listing.total, "mail", "mails");
  byId("empty").hidden = listing.total > 0;
  byId("no-match").hidden = listing.total === 0 || listing.matches > 0;
  byId("older").hidden = listing.next === null;
  byId("clear").disabled = listing.total === 0;
}

/** Marks the mail that is shown beside the list. */
export function markSelected(id) {
  if (id) opened.add(id);
  for (const [rowId, row] of rows) {
    const link = row.firstElementChild;
    if (rowId === id) link.setAttribute("aria-current", "true");
    else link.removeAttribute("aria-current");
    row.classList.toggle("unopened", !opened.has(rowId));
  }
  rows.get(id)?.scrollIntoView({ block: "nearest" });
}

/** The id of the mail so many rows below (or above) the given one; the first if there is none. */
export function neighbour(id, distance) {
  const ids = [...list.children].map((row) => row.dataset.id);
  const index = ids.indexOf(id);
  return index < 0 ? ids[0] : ids[index + distance];
}

/** The id of the mail whose row has the focus. */
export function focusedId() {
  return document.activeElement?.closest("#list > li")?.dataset.id;
}

export function focusRow(id) {
  rows.get(id)?.firstElementChild.focus();
}

list.addEventListener("keydown", (event) => {
  const distance = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!distance) return;
  event.preventDefault();
  focusRow(neighbour(focusedId(), distance));
});

function makeRow(mail) {
  const recipients = [...mail.to.map(shortName), ...(mail.to.length ? [] : mail.acceptedRecipients)];
  const row = element(
    "li",
    { "data-id": mail.id, "data-arrival": mail.receivedAtUnixMs, class: opened.has(mail.id) ? null : "unopened" },
    element(
      "a",
      { href: `#/${mail.id}` },
      element("span", { class: "row-sender" }, mail.from.map(shortName).join(", ") || mail.envelopeSender || "(no sender)"),
      shortTime(mail.receivedAtUnixMs),
      element("span", { class: "row-subject" }, mail.subject || "(no subject)"),
      element("span", { class: "row-snippet" }, mail.snippet),
      element(
        "span",
        { class: "row-marks" },
        recipients.length > 0 && element("span", { class: "row-to" }, `to ${recipients.join(", ")}`),
        mail.attachmentCount > 0 && element("span", { class: "mark" }, count(mail.attachmentCount, "file", "files")),
        mail.refusedRecipients.length > 0 &&
          element("span", { class: "mark bad" }, `${mail.refusedRecipients.length} refused`),
      ),
    ),
  );
  rows.set(mail.id, row);
  return row;
}

function moveFocusOff(row) {
  if (!row.contains(document.activeElement)) return;
  const next = row.nextElementSibling ?? row.previousElementSibling;
  if (next) next.firstElementChild.focus();
  else byId("search").focus();
}
