// Holds the page together: what is searched for, which mail and tab the address names, and what the server says is new.

import { byId, count, element } from "./dom.js";
import { focusRow, focusedId, markSelected, neighbour, showList } from "./list.js";
import { TABS, firstTab, mailArticle } from "./mail.js";

const PAGE_SIZE = 100;
/** The most `GET /api/mails` answers at once. */
const MAX_SHOWN = 500;

const search = byId("search");
const mailPane = byId("mail");
const hint = mailPane.firstElementChild;
let shownCount = PAGE_SIZE;
let shownMail = null;

// --- The list

let isRefreshing = false;
let isStale = false;

/** Reads the list anew; calls while one is under way are served by one more. */
async function refresh() {
  isStale = true;
  if (isRefreshing) return;
  isRefreshing = true;
  while (isStale) {
    isStale = false;
    const words = search.value.trim();
    const query = new URLSearchParams({ search: words, limit: shownCount });
    try {
      const listing = await askJson(`/api/mails?${query}`);
      showList(listing, words);
      markSelected(route().id);
      document.title = listing.total ? `(${listing.total}) Sandbox inbox` : "Sandbox inbox";
    } catch {
      // The event stream tells when the sandbox is back.
    }
  }
  isRefreshing = false;
}

search.addEventListener("input", () => {
  shownCount = PAGE_SIZE;
  refresh();
});

byId("older").addEventListener("click", () => {
  shownCount = Math.min(shownCount + PAGE_SIZE, MAX_SHOWN);
  refresh();
});

byId("reset-search").addEventListener("click", () => {
  search.value = "";
  search.focus();
  refresh();
});

// --- The mail the address names: `#/12/headers`

function route() {
  const [, id, tab] = location.hash.match(/^#\/(\d+)(?:\/(\w+))?$/) ?? [];
  return { id, tab: TABS.includes(tab) ? tab : null };
}

async function showRoute() {
  const { id, tab } = route();
  document.body.classList.toggle("reading", Boolean(id));
  markSelected(id);
  if (!id) return showNothing();
  if (shownMail?.id !== id) await loadMail(id);
  if (shownMail?.id === id) shownMail.show(tab ?? shownMail.firstTab);
}

async function loadMail(id) {
  try {
    const mail = await askJson(`/api/mails/${id}`);
    if (route().id !== id) return;
    const { article, show } = mailArticle(mail, { onDelete: () => remove(id) });
    shownMail = { id, show, firstTab: firstTab(mail) };
    mailPane.replaceChildren(article);
    mailPane.scrollTop = 0;
  } catch (problem) {
    shownMail = null;
    const back = element("a", { class: "button", href: "#/" }, "Back to the list");
    const text = element("p", {}, problem.message);
    mailPane.replaceChildren(element("div", { class: "empty" }, element("h2", {}, "Not here"), text, back));
  }
}

function showNothing() {
  shownMail = null;
  mailPane.replaceChildren(hint);
}

async function remove(id) {
  const next = neighbour(id, 1) ?? neighbour(id, -1);
  const wasShown = route().id === id;
  await fetch(`/api/mails/${id}`, { method: "DELETE" });
  if (wasShown) location.hash = next && !isNarrow.matches ? `#/${next}` : "#/";
  await refresh();
}

window.addEventListener("hashchange", showRoute);

// --- Clearing

byId("clear").addEventListener("click", async () => {
  const { total } = await askJson("/api/mails?limit=1");
  byId("confirm-text").textContent = `${count(total, "mail", "mails")} will be deleted. This cannot be undone.`;
  byId("confirm").returnValue = "";
  byId("confirm").showModal();
});

byId("confirm").addEventListener("close", async () => {
  if (byId("confirm").returnValue !== "clear") return;
  await fetch("/api/mails", { method: "DELETE" });
  location.hash = "#/";
  await refresh();
  search.focus();
});

// --- Keys

const isNarrow = matchMedia("(max-width: 760px)");

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("confirm").open) return;
  if (event.key === "Escape") return leave();
  if (event.target === search) return;
  const act = KEYS[event.key] ?? (TABS[Number(event.key) - 1] && (() => openTab(TABS[Number(event.key) - 1])));
  if (!act) return;
  event.preventDefault();
  act();
});

const KEYS = {
  "/": () => search.select(),
  j: () => step(1),
  k: () => step(-1),
  Delete: () => {
    const id = focusedId() ?? route().id;
    if (id) remove(id);
  },
};

function step(distance) {
  const id = neighbour(route().id ?? focusedId(), distance);
  if (!id) return;
  location.hash = `#/${id}`;
  focusRow(id);
}

function openTab(tab) {
  const { id } = route();
  if (id) location.hash = `#/${id}/${tab}`;
}

function leave() {
  const { id } = route();
  if (document.activeElement === search) {
    search.value = "";
    search.blur();
    refresh();
  } else if (id) {
    location.hash = "#/";
    focusRow(id);
  }
}

// --- News

function listen() {
  const events = new EventSource("/api/events");
  events.addEventListener("open", () => showLive("live", "Live"));
  events.addEventListener("error", () => showLive("waiting", "Reconnecting"));
  events.addEventListener("changed", refresh);
}

function showLive(state, text) {
  byId("live").dataset.state = state;
  byId("live").firstElementChild.textContent = text;
}

async function askJson(path) {
  const answer = await fetch(path);
  const json = await answer.json();
  if (!answer.ok) throw new Error(json.error);
  return json;
}

listen();
showRoute();
