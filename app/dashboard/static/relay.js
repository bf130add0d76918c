// What makes pages live. Everything works without it.
"use strict";
(() => {
  const note = document.querySelector("[data-not-live]");
  const words = JSON.parse(document.body.dataset.words ?? "{}");

  // --- Times in the reader's zone: <time datetime data-local>, or data-relative for "3 minutes ago".
  // In the page's language, as the reader's region writes it: not two languages on one page.
  const page = document.documentElement.lang;
  const language = navigator.languages.find((one) => one.split("-")[0] === page) ?? (page === "en" ? "en-GB" : page);
  const exact = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

  // The server reads days and writes hours of charts in this zone, too.
  const zone = exact.resolvedOptions().timeZone;
  const secure = location.protocol === "https:" ? "; secure" : "";
  if (/^[\w+/-]+$/.test(zone)) document.cookie = `relay-zone=${zone}; path=/; max-age=31536000; samesite=lax${secure}`;

  function ago(date) {
    const seconds = (date - Date.now()) / 1000;
    const [unit, size] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
    return relative.format(Math.round(seconds / size), unit);
  }

  function localise(root) {
    for (const time of root.querySelectorAll("time[datetime]")) {
      const date = new Date(time.dateTime);
      if (Number.isNaN(date.getTime())) continue;
      const text = "relative" in time.dataset ? ago(date) : "local" in time.dataset ? short.format(date) : null;
      if (text === null) continue;
      if (time.textContent !== text) time.textContent = text;
      time.title = exact.format(date);
    }
  }

  // --- Parts that keep themselves up to date: data-live="URL" data-every="MS". The URL answers with what belongs inside,
  // or with a page that has the part.
  const typing = (part) => {
    const at = document.activeElement;
    return part.contains(at) && at.matches("input:not([type=hidden]), select, textarea");
  };
  const selecting = (part) => {
    const chosen = document.getSelection();
    return chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
  };

  // What names an element across two versions of its part: its id; or what it sends, where it leads, or what it is
  // called, and its place among those of which the same is true. Its place alone would make one button of another.
  function about(one) {
    if (one.id) return one.id;
    const { form } = one;
    if (form) return JSON.stringify([form.getAttribute("action"), one.name, one.matches("button") && one.value]);
    const fold = one.matches("details, summary") && one.closest("details");
    const called = fold && (fold.id || fold.querySelector("summary")?.textContent);
    return JSON.stringify([one.getAttribute("href"), one.getAttribute("aria-label"), called]);
  }
  const like = (part, kind, words) => [...part.querySelectorAll(kind)].filter((one) => about(one) === words);
  function named(part, element) {
    const [kind, words] = [element.localName, about(element)];
    return [kind, words, like(part, kind, words).indexOf(element)];
  }
  const found = (part, [kind, words, place]) => like(part, kind, words)[place];

  // An element, and where to go from it when it is gone: what is around it, from the inside out.
  function around(part, element) {
    const names = [named(part, element)];
    for (let one = element.parentElement; one !== part; one = one.parentElement)
      if (one.matches("[id], [tabindex]")) names.push(named(part, one));
    return names;
  }
  function takesFocus(element) {
    if (!element) return false;
    if (element.tabIndex < 0) element.tabIndex = -1;
    element.focus({ preventScroll: true });
    return document.activeElement === element;
  }

  // `typed` is what was typed and not sent: names of fields and their texts. Returns what it is now; a field that is
  // gone for a moment is filled again when it is back.
  function replace(part, html, typed) {
    const open = [...part.querySelectorAll("details")].filter((one) => one.open).map((one) => named(part, one));
    const shut = [...part.querySelectorAll("details:not([open])")].map((one) => named(part, one));
    const scrolled = [...part.querySelectorAll("[tabindex]")]
      .filter((one) => one.scrollTop || one.scrollLeft)
      .map((one) => [named(part, one), one.scrollTop, one.scrollLeft]);
    const focused = part.contains(document.activeElement) && document.activeElement !== part;
    const focus = focused ? around(part, document.activeElement) : null;
    const filled = [...part.querySelectorAll("input:not([type=hidden]), textarea")]
      .filter((one) => one.value !== one.defaultValue)
      .map((one) => [named(part, one), one.value]);
    const kept = [...typed.filter(([one]) => !found(part, one)), ...filled];
    const page = new DOMParser().parseFromString(html, "text/html");
    localise(page);
    part.replaceChildren(...page.body.childNodes);
    for (const one of open) found(part, one)?.setAttribute("open", "");
    for (const one of shut) found(part, one)?.removeAttribute("open");
    for (const [one, top, left] of scrolled) found(part, one)?.scrollTo(left, top);
    for (const [one, text] of kept) {
      const field = found(part, one);
      if (field) field.value = text;
    }
    if (focus) focus.some((one) => takesFocus(found(part, one))) || takesFocus(part);
    return kept;
  }

  // Of a whole page the part of the same id; else all of it.
  const inside = (part, html) =>
    new DOMParser().parseFromString(html, "text/html").getElementById(part.id)?.innerHTML ?? html;

  // A form's token is another one each time, and no reason to replace anything.
  const content = (html) => html.replace(/name="csrf_token"[^>]*/g, "");

  function keepAlive(part) {
    const every = Math.max(1000, Number(part.dataset.every) || 5000);
    let last = null;
    let typed = [];
    let timer = 0;
    let busy = false;
    let done = false;

    async function refresh() {
      clearTimeout(timer);
      if (busy || done || document.hidden || !part.isConnected) return;
      busy = true;
      try {
        const answer = await fetch(part.dataset.live, {
          headers: { "X-Relay-Live": "1" },
          redirect: "error",
          signal: AbortSignal.timeout(20000),
        });
        if (answer.status === 401) return location.reload();
        if (!answer.ok) throw new Error(answer.statusText);
        const html = inside(part, await answer.text());
        if (content(html) !== last && !typing(part) && !selecting(part)) {
          typed = replace(part, html, typed);
          last = content(html);
          part.dispatchEvent(new CustomEvent("relay:live", { bubbles: true }));
        }
        if (note.textContent) note.textContent = "";
        // The last fragment of something that ends, such as a progress bar, says so.
        done = answer.headers.has("X-Relay-Done");
      } catch {
        if (!document.hidden) note.textContent = words.notLive;
      } finally {
        busy = false;
      }
      if (!done) timer = setTimeout(refresh, every);
    }
    timer = setTimeout(refresh, every);
    document.addEventListener("visibilitychange", () => document.hidden || refresh());
  }

  // --- What needs somebody shows in the tab, too: a number before the title, a red dot on the icon.
  document.addEventListener("relay:live", (event) => {
    const found = event.target.querySelector("[data-problems]");
    if (!found) return;
    const { problems, icon } = found.dataset;
    document.title = (problems === "0" ? "" : `(${problems}) `) + document.title.replace(/^\(\d+\) /, "");
    document.querySelector("link[rel=icon]").href = icon;
  });

  // --- A form is sent once.
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    const buttons = event.target.querySelectorAll("button:not([type=button])");
    // Later: a button that is disabled now would not be sent.
    setTimeout(() => buttons.forEach((one) => (one.disabled = true)));
    // A download leaves the page where it is.
    setTimeout(() => buttons.forEach((one) => (one.disabled = false)), 8000);
  });
  addEventListener("pageshow", () => {
    for (const one of document.querySelectorAll("form button:disabled")) one.disabled = false;
  });

  // On a small screen the bar scrolls sideways: show where one is.
  document.querySelector(".nav [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });

  localise(document);
  setInterval(() => document.hidden || localise(document), 10000);
  document.querySelectorAll("[data-live]").forEach(keepAlive);
})();
