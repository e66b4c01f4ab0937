// Live update: fetch this page again, unless nothing has changed, and put what changed in its place.
// Focus, selection, scroll position and open details stay. One short line is announced to screen readers.
"use strict";

(() => {
  const page = document.body;
  const interval = Number(page.dataset.interval);
  const button = document.querySelector("[data-pause]");
  const status = document.querySelector("[data-status]");
  const refresh = document.querySelector("[data-refresh]");
  if (!button || !status || !refresh) return; // a page that has nothing to update
  const quiet = 5 * interval; // least milliseconds between two announcements
  const patience = 10 * interval; // most milliseconds without a new page: ages go on where nothing changes
  let tag = ""; // of the page that is shown
  let shown = 0; // when it was fetched
  let paused = remembered();
  let failures = 0;
  let announced = Date.now();
  let timer = 0;
  let busy = false;

  function remembered() {
    try { return sessionStorage.getItem("paused") === "yes"; } catch { return false; }
  }

  function remember() {
    try { sessionStorage.setItem("paused", paused ? "yes" : "no"); } catch { /* no storage in a private window */ }
  }

  function key(node) {
    return node.nodeType === Node.ELEMENT_NODE ? node.dataset.key || node.id : "";
  }

  function alike(one, other) {
    return one.nodeType === other.nodeType && one.nodeName === other.nodeName && key(one) === key(other);
  }

  function attributes(now, next) {
    for (const { name } of [...now.attributes]) {
      if (!next.hasAttribute(name) && name !== "open") now.removeAttribute(name);
    }
    for (const { name, value } of next.attributes) {
      if (now.getAttribute(name) !== value) now.setAttribute(name, value);
    }
  }

  // Make the children of `now` equal to those of `next`, keeping every node that can be kept.
  function morph(now, next) {
    const keyed = new Map();
    for (const child of now.children) if (key(child)) keyed.set(key(child), child);
    let place = now.firstChild;
    for (const wanted of [...next.childNodes]) {
      let kept = place && alike(place, wanted) ? place : null;
      const known = key(wanted) && keyed.get(key(wanted));
      if (!kept && known && alike(known, wanted)) {
        now.insertBefore(known, place);
        kept = known;
      }
      if (!kept) {
        now.insertBefore(wanted, place);
        continue;
      }
      if (kept === place) place = place.nextSibling;
      if (kept.nodeType === Node.TEXT_NODE) {
        if (kept.data !== wanted.data) kept.data = wanted.data;
      } else if (kept.nodeType === Node.ELEMENT_NODE && !kept.isEqualNode(wanted)) {
        attributes(kept, wanted);
        morph(kept, wanted);
      }
    }
    while (place) {
      const gone = place;
      place = place.nextSibling;
      gone.remove();
    }
  }

  function apply(fresh) {
    const focused = document.activeElement;
    const home = focused && focused.closest("[data-live]");
    for (const section of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(section.id);
      if (next && !section.isEqualNode(next)) morph(section, next);
    }
    // The focused row has left the list: move the focus to its section, not to the top of the page.
    if (home && !focused.isConnected) {
      home.tabIndex = -1;
      home.focus({ preventScroll: true });
    }
  }

  function announce(text) {
    if (status.textContent === text) return;
    if (Date.now() - announced < quiet) return;
    status.textContent = text;
    announced = Date.now();
  }

  async function update() {
    try {
      const known = tag && !failures && Date.now() - shown < patience;
      const headers = known ? { "If-None-Match": tag } : {};
      const answer = await fetch(location.href, { cache: "no-store", credentials: "same-origin", headers });
      if (answer.status === 304) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const line = fresh.querySelector("[data-status]");
      if (!line) throw new Error("not a page of the console");
      if (paused) return;
      apply(fresh);
      tag = answer.ok ? answer.headers.get("ETag") || "" : "";
      shown = Date.now();
      failures = 0;
      announce(line.textContent);
    } catch {
      failures += 1;
      if (failures === 2) announced = 0;
      if (failures > 1) announce("The console does not answer. This page is out of date; trying again.");
    }
  }

  async function round() {
    window.clearTimeout(timer);
    if (busy) return;
    busy = true;
    if (!paused && document.visibilityState === "visible") await update();
    busy = false;
    timer = window.setTimeout(round, interval * Math.min(1 + failures, 5));
  }

  function show() {
    button.setAttribute("aria-pressed", String(paused));
  }

  button.hidden = false;
  refresh.hidden = true;
  show();
  button.addEventListener("click", () => {
    paused = !paused;
    remember();
    show();
    if (!paused) round();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") round();
  });
  timer = window.setTimeout(round, interval);
})();
