// Search on the start page: all words must match; no request is made. On other pages the form opens it.
"use strict";

(() => {
  const field = document.getElementById("find");
  document.addEventListener("keydown", (event) => {
    const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      event.preventDefault();
      field.focus();
    }
  });

  const store = document.getElementById("index");
  if (!store) return;

  const MOST = 40;
  const form = document.getElementById("search");
  const list = document.getElementById("results");
  const found = document.getElementById("found");
  const plain = (text) => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const rows = JSON.parse(store.textContent).map((row) => {
    const name = plain(row.name);
    const title = plain(row.title);
    return { ...row, plainName: name, plainTitle: title, all: `${name} ${title} ${plain(row.text)} ${row.kind}` };
  });

  // Lower is better: the whole name, its beginning, part of it, the title, the rest; fields after all else.
  const rank = (row, words, whole) => {
    const field = row.kind === "field" ? 1 : 0;
    if (row.plainName === whole || row.plainTitle === whole) return field;
    if (row.plainName.startsWith(whole) || row.plainTitle.startsWith(whole)) return 2 + field;
    if (words.every((word) => row.plainName.includes(word))) return 4 + field;
    if (words.every((word) => row.plainTitle.includes(word))) return 6 + field;
    return 8 + field;
  };

  const element = (name, text, className) => {
    const made = document.createElement(name);
    made.textContent = text;
    made.dir = "auto";
    if (className) made.className = className;
    return made;
  };

  const shown = (row) => {
    const item = document.createElement("li");
    const link = document.createElement("a");
    link.href = row.page;
    const subject = row.kind === "field" ? row.text.split(" ")[0] : "";
    link.append(element("span", row.kind, "kind"), element("strong", row.kind === "field" ? row.name : row.title));
    link.append(element("span", row.kind === "field" ? `${subject} · ${row.title}` : row.name, "more"));
    item.append(link);
    return item;
  };

  const search = () => {
    const whole = plain(field.value.trim());
    const words = whole.split(/\s+/).filter(Boolean);
    const hits = words.length ? rows.filter((row) => words.every((word) => row.all.includes(word))) : [];
    hits.sort((a, b) => rank(a, words, whole) - rank(b, words, whole));
    list.replaceChildren(...hits.slice(0, MOST).map(shown));
    if (!words.length) found.textContent = "";
    else if (!hits.length) found.textContent = "Nothing found. Try fewer words.";
    else if (hits.length > MOST) found.textContent = `${hits.length} results, of which the first ${MOST} are shown.`;
    else found.textContent = `${hits.length} results.`;
  };

  const walk = (event) => {
    const links = [...list.querySelectorAll("a")];
    const at = links.indexOf(document.activeElement);
    if (event.key === "ArrowDown" && links.length) links[Math.min(at + 1, links.length - 1)].focus();
    else if (event.key === "ArrowUp" && at > 0) links[at - 1].focus();
    else if (event.key === "ArrowUp" && at === 0) field.focus();
    else if (event.key === "Escape") {
      field.focus();
      field.select();
    } else return;
    event.preventDefault();
  };

  form.hidden = false;
  document.getElementById("unsearchable").remove();
  field.addEventListener("input", search);
  form.addEventListener("keydown", walk);
  list.addEventListener("keydown", walk);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    list.querySelector("a")?.click();
  });
  const query = new URLSearchParams(location.search).get("q");
  if (query) {
    field.value = query;
    search();
    field.focus();
  }
})();
