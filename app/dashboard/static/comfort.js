// What saves steps: copying, going anywhere by name, filters that are kept. Everything works without it.
"use strict";
(() => {
  // What this says, in the reader's language; a value stands in braces.
  const texts = JSON.parse(document.body.dataset.words ?? "{}");
  const text = (name, values = {}) => texts[name].replace(/\{(\w+)\}/g, (_, key) => values[key]);

  // --- Copy buttons beside code and whatever has data-copy. A browser copies only from a page that is safe.
  function offerCopies(root) {
    if (!navigator.clipboard) return;
    for (const one of root.querySelectorAll("pre.code, [data-copy]")) {
      if (one.nextElementSibling?.matches(".copy")) continue;
      const button = Object.assign(document.createElement("button"), {
        type: "button",
        className: "button small quiet copy",
      });
      const say = (word) => {
        button.textContent = word;
        button.setAttribute("aria-label", `${word}: ${one.getAttribute("aria-label") ?? one.dataset.copy}`);
      };
      say(text("copy"));
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(one.innerText.trim());
        say(text("copied"));
        setTimeout(() => say(text("copy")), 2000);
      });
      one.after(button);
    }
  }

  // --- The palette: the list of /go, narrowed by what is typed.
  const palette = document.createElement("dialog");
  palette.className = "palette";
  palette.setAttribute("aria-label", text("goTo"));
  palette.innerHTML = `<div class="field"><label for="palette-words"></label>
    <input id="palette-words" type="search" autocomplete="off" role="combobox" aria-expanded="true"
      aria-controls="palette-places"></div><ul class="places" id="palette-places" role="listbox"></ul>`;
  palette.querySelector("label").textContent = text("palette");
  const words = palette.querySelector("input");
  const list = palette.querySelector("ul");
  let places = null;
  let at = 0;

  async function load() {
    if (places) return;
    const answer = await fetch("/go", { headers: { "X-Relay-Live": "1" }, redirect: "error" });
    if (!answer.ok) throw new Error(answer.statusText);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    places = [...page.querySelectorAll("#go > li")];
  }

  function narrow() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = (places ?? []).filter((one) => wanted.every((word) => one.textContent.toLowerCase().includes(word)));
    // An option holds no link: the focus stays in the field.
    const option = (href, ...content) => {
      const one = document.createElement("li");
      one.dataset.href = href;
      one.setAttribute("role", "option");
      one.append(...content);
      return one;
    };
    const shown = found.slice(0, 12).map((one) => {
      const link = one.querySelector("a");
      return option(link.getAttribute("href"), ...link.cloneNode(true).childNodes);
    });
    if (wanted.length) {
      const query = new URLSearchParams({ q: words.value.trim() });
      shown.push(option(`/conversations?${query}`, text("search", { words: words.value.trim() })));
    }
    shown.forEach((one, index) => (one.id = `palette-${index}`));
    list.replaceChildren(...shown);
    choose(0);
  }

  function choose(index) {
    const options = [...list.children];
    at = options.length ? (index + options.length) % options.length : 0;
    options.forEach((one, place) => one.setAttribute("aria-selected", String(place === at)));
    words.setAttribute("aria-activedescendant", options[at]?.id ?? "");
    options[at]?.scrollIntoView({ block: "nearest" });
  }

  async function openPalette() {
    if (!document.querySelector(".nav") || palette.open) return;
    if (!palette.isConnected) document.body.append(palette);
    palette.showModal();
    words.value = "";
    await load().catch(() => {}); // the search of chats is there all the same
    narrow();
  }
  const go = (option) => option && location.assign(option.dataset.href);
  words.addEventListener("input", narrow);
  palette.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(at + 1);
    else if (event.key === "ArrowUp") choose(at - 1);
    else if (event.key === "Enter") go(list.children[at]);
    else return;
    event.preventDefault();
  });
  list.addEventListener("click", (event) => go(event.target.closest("li")));
  // A click beside it.
  palette.addEventListener("click", (event) => event.target === palette && palette.close());

  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      openPalette();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || palette.open) return;
    if (event.target.matches("input, select, textarea, [contenteditable]")) return;
    if (event.key === "/") {
      event.preventDefault();
      const field = document.querySelector("main input[type=search]");
      if (!field) return openPalette();
      field.focus();
      field.select();
    } else if (event.key === "?" && document.querySelector(".nav")) location.assign("/go");
  });

  // --- Filters of chats that this browser keeps, by name: a list of [name, query].
  const KEPT = "relay-filters";
  const kept = () => {
    try {
      const found = JSON.parse(localStorage.getItem(KEPT) ?? "[]");
      return Array.isArray(found) ? found.filter((one) => one?.length === 2 && one.every((part) => typeof part === "string")) : [];
    } catch {
      return [];
    }
  };

  function savedFilters(box) {
    const form = box.querySelector("form");
    const name = box.querySelector("input");
    const query = new URLSearchParams(location.search);
    for (const one of ["after", "on"]) query.delete(one);
    for (const [key, value] of [...query]) if (!value) query.delete(key);
    form.hidden = !query.size;

    function show() {
      const filters = kept();
      box.hidden = !filters.length && form.hidden;
      box.querySelector("summary").textContent = filters.length ? text("savedFilters", { count: filters.length }) : text("saveFilter");
      box.querySelector("ul").replaceChildren(
        ...filters.map(([called, wanted]) => {
          const row = document.createElement("li");
          row.className = "row";
          const link = Object.assign(document.createElement("a"), { textContent: called });
          link.href = `/conversations?${new URLSearchParams(wanted)}`;
          const remove = Object.assign(document.createElement("button"), {
            type: "button",
            className: "button small quiet",
            textContent: text("remove"),
          });
          remove.setAttribute("aria-label", text("removeFilter", { name: called }));
          remove.addEventListener("click", () => {
            localStorage.setItem(KEPT, JSON.stringify(kept().filter(([other]) => other !== called)));
            show();
            (box.querySelector("li a") ?? box.querySelector("summary")).focus();
          });
          row.append(link, remove);
          return row;
        }),
      );
    }
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      const called = name.value.trim();
      if (!called) return name.focus();
      const others = kept().filter(([other]) => other !== called);
      localStorage.setItem(KEPT, JSON.stringify([...others, [called, query.toString()]]));
      name.value = "";
      show();
    });
    show();
  }

  offerCopies(document);
  document.addEventListener("relay:live", (event) => offerCopies(event.target));
  document.querySelectorAll("[data-saved-filters]").forEach(savedFilters);
})();
