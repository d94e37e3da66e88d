// One mail and its six views. A view is made when it is first looked at.

import { count, element, fromTemplate, fullName, longTime, size } from "./dom.js";
import { preview } from "./preview.js";

/** The names of the tabs in addresses, in the order of the keys 1 to 6. */
export const TABS = ["html", "text", "source", "headers", "attachments", "delivery"];

/** The article for one answer of `GET /api/mails/{id}`, with `show(tab)` to switch views. */
export function mailArticle(mail, { onDelete }) {
  const article = fromTemplate("mail-template");
  const field = (name) => article.querySelector(`[data-field=${name}]`);
  field("subject").textContent = mail.subject || "(no subject)";
  field("download").href = `${address(mail)}/source`;
  field("delete").addEventListener("click", onDelete);
  field("people").append(...people(mail));
  field("problems").hidden = mail.problems.length === 0;
  field("problems").append(...mail.problems.map((problem) => element("li", {}, sentence(problem))));
  return { article, show: fillTabs(article, mail) };
}

/** What to look at first. */
export function firstTab(mail) {
  if (mail.html !== null) return "html";
  return mail.text !== null ? "text" : "source";
}

function people(mail) {
  const names = (mailboxes) => mailboxes.map(fullName).join(", ");
  return [
    ["From", names(mail.from) || mail.envelopeSender],
    ["To", names(mail.to)],
    ["Cc", names(mail.cc)],
    ["Bcc", names(mail.bcc)],
    ["Reply to", names(mail.replyTo)],
    ["Received", element("span", {}, longTime(mail.receivedAtUnixMs), ` · ${size(mail.sizeBytes)}`)],
  ].flatMap(([name, value]) => (value ? [element("div", {}, element("dt", {}, name), element("dd", {}, value))] : []));
}

// The tab pattern of the ARIA Authoring Practices: one tab stop, arrow keys move.
function fillTabs(article, mail) {
  const tablist = article.querySelector("[role=tablist]");
  const panels = article.querySelector(".panels");
  const made = new Map(TABS.map((name) => [name, makeTab(name, mail)]));
  for (const { tab, panel } of made.values()) {
    tablist.append(tab);
    panels.append(panel);
  }
  tablist.addEventListener("keydown", (event) => {
    const index = TABS.indexOf(event.target.dataset.tab);
    const last = TABS.length - 1;
    const next = { ArrowRight: index === last ? 0 : index + 1, ArrowLeft: index === 0 ? last : index - 1, Home: 0, End: last };
    if (!(event.key in next)) return;
    event.preventDefault();
    const { tab } = made.get(TABS[next[event.key]]);
    tab.click();
    tab.focus();
  });
  return (shown) => {
    for (const [name, { tab, panel, fill }] of made) {
      const isShown = name === shown;
      tab.setAttribute("aria-selected", String(isShown));
      tab.tabIndex = isShown ? 0 : -1;
      panel.hidden = !isShown;
      if (isShown) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
      if (isShown && panel.childElementCount === 0) fill(panel);
    }
  };
}

function makeTab(name, mail) {
  const { label, number, fill } = VIEWS[name](mail);
  const panel = element("div", {
    role: "tabpanel", id: `panel-${name}`, "aria-labelledby": `tab-${name}`, class: `panel ${name}`, tabindex: 0, hidden: true,
  });
  const tab = element(
    "button",
    { type: "button", role: "tab", id: `tab-${name}`, "data-tab": name, "aria-controls": panel.id },
    label,
    number > 0 && element("span", { class: "number" }, String(number)),
  );
  tab.addEventListener("click", () => {
    location.hash = `#/${mail.id}/${name}`;
  });
  return { tab, panel, fill };
}

const VIEWS = {
  html: (mail) => ({
    label: "HTML",
    fill: (panel) => {
      if (mail.html === null) return panel.append(nothing("This mail has no HTML part."));
      panel.append(
        preview(`${address(mail)}/html`),
        note("Shown as sent, with its own images. Scripts, forms, links and everything from outside the mail are blocked."),
      );
    },
  }),
  text: (mail) => ({
    label: "Text",
    fill: (panel) => panel.append(mail.text === null ? nothing("This mail has no plain text part.") : element("pre", {}, cut(mail.text))),
  }),
  source: (mail) => ({ label: "Source", fill: (panel) => fillSource(panel, mail) }),
  headers: (mail) => ({
    label: "Headers",
    number: mail.headers.length,
    fill: (panel) => panel.append(table(["Field", "Value"], mail.headers.map(({ name, value }) => [name, value]))),
  }),
  attachments: (mail) => ({
    label: "Attachments",
    number: mail.attachments.length,
    fill: (panel) => fillAttachments(panel, mail),
  }),
  delivery: (mail) => ({
    label: "Delivery",
    fill: (panel) => panel.append(envelope(mail), recipients(mail), signIn(mail.delivery)),
  }),
};

async function fillSource(panel, mail) {
  const pre = element("pre", { "aria-busy": "true" }, "Loading …");
  panel.append(pre);
  try {
    const answer = await fetch(`${address(mail)}/source`);
    pre.textContent = answer.ok ? cut(await answer.text()) : (await answer.json()).error;
  } catch {
    pre.textContent = "The sandbox does not answer.";
  }
  pre.removeAttribute("aria-busy");
}

function fillAttachments(panel, mail) {
  if (mail.attachments.length === 0) return panel.append(nothing("This mail has no attachments."));
  const items = mail.attachments.map((attachment) => {
    const name = attachment.fileName ?? "(no name)";
    return element(
      "li",
      {},
      element(
        "div",
        {},
        element("strong", {}, name),
        element("span", {}, [attachment.contentType, size(attachment.sizeBytes), attachment.isInline && "inline"].filter(Boolean).join(" · ")),
        attachment.contentId && element("span", {}, `Content-ID ${attachment.contentId}`),
      ),
      element(
        "a",
        { class: "button", href: `${address(mail)}/attachments/${attachment.index}`, download: true, "aria-label": `Download ${name}` },
        "Download",
      ),
    );
  });
  panel.append(element("ul", { class: "attachment-list" }, ...items));
}

function envelope(mail) {
  const { delivery } = mail;
  return section(
    "Envelope",
    facts([
      ["Sender", `<${mail.envelopeSender}>`],
      ["Parameters", delivery.mailParameters.length ? chips(delivery.mailParameters) : "none"],
      ...delivery.recipientParameters.map((of) => [of.address, chips(of.parameters)]),
      ["Transfer", delivery.chunked ? "BDAT (chunked)" : "DATA"],
      ["Client", delivery.clientAddress],
      ["EHLO", delivery.clientEhlo],
      ["TLS", delivery.tls ?? verdict("bad", "none: the mail came in clear")],
      ["Accepted", longTime(mail.receivedAtUnixMs)],
    ]),
  );
}

function recipients(mail) {
  const rows = [
    ...mail.acceptedRecipients.map((address) => [address, verdict("good", "accepted")]),
    ...mail.refusedRecipients.map(({ address, reply }) => [
      address,
      element("span", {}, verdict("bad", "refused"), element("code", { class: "reply" }, reply)),
    ]),
  ];
  return section("Recipients", table(["Address", "Verdict"], rows));
}

function signIn(delivery) {
  const who = facts([["Signed in as", delivery.authenticatedAs ?? "nobody: the mail was relayed"]]);
  if (!delivery.token) return section("Sign-in", who);
  const claims = Object.entries(delivery.token).map(([name, value]) => [name, claimValue(name, value)]);
  return section("Sign-in", who, element("h4", {}, "Access token"), table(["Claim", "Value"], claims));
}

function claimValue(name, value) {
  if (TIME_CLAIMS.includes(name) && Number.isFinite(value)) {
    return element("span", {}, longTime(value * 1000), element("code", { class: "raw" }, String(value)));
  }
  return typeof value === "string" ? value : JSON.stringify(value);
}

function section(title, ...children) {
  return element("section", {}, element("h3", {}, title), ...children);
}

function facts(pairs) {
  const items = pairs.map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value)));
  return element("dl", { class: "facts" }, ...items);
}

function table(heads, rows) {
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const body = rows.map(([name, value]) => element("tr", {}, element("th", { scope: "row" }, name), element("td", {}, value)));
  return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
}

function chips(texts) {
  return element("span", { class: "chips" }, ...texts.map((text) => element("code", {}, text)));
}

function verdict(kind, text) {
  return element("span", { class: `verdict ${kind}` }, text);
}

function nothing(text) {
  return element("p", { class: "nothing" }, text);
}

function note(text) {
  return element("p", { class: "note" }, text);
}

function sentence(text) {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** More than anyone reads in a browser, and little enough that it stays quick. */
function cut(text) {
  if (text.length <= SHOWN_CHARS) return text;
  return `${text.slice(0, SHOWN_CHARS)}\n\n… ${count(text.length - SHOWN_CHARS, "character", "characters")} more in the download`;
}

function address(mail) {
  return `/api/mails/${mail.id}`;
}

const SHOWN_CHARS = 500_000;
/** Claims that are times, in seconds since 1970 (RFC 7519 section 4.1 and Microsoft's own). */
const TIME_CLAIMS = ["exp", "iat", "nbf", "auth_time", "xms_tcdt"];
