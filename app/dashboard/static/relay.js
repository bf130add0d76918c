// What makes pages live. Everything works without it.
"use strict";
(() => {
  const note = document.querySelector("[data-not-live]");

  // --- Times in the reader's zone: <time datetime data-local>, or data-relative for "3 minutes ago".
  const exact = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
  const short = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
  const relative = new Intl.RelativeTimeFormat(document.documentElement.lang || "en", { numeric: "auto" });
  const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

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

  // --- Parts that keep themselves up to date: data-live="URL" data-every="MS".
  const typing = (part) => {
    const at = document.activeElement;
    return part.contains(at) && at.matches("input:not([type=hidden]), select, textarea");
  };
  const selecting = (part) => {
    const chosen = document.getSelection();
    return chosen && !chosen.isCollapsed && part.contains(chosen.anchorNode);
  };

  // What names an element across two versions of its part: its id, or its place among its like.
  function named(part, element) {
    if (element.id) return [`#${CSS.escape(element.id)}`, 0];
    const kind = element.localName;
    return [kind, [...part.querySelectorAll(kind)].indexOf(element)];
  }
  const found = (part, [kind, place]) => part.querySelectorAll(kind)[place];

  function replace(part, html) {
    const open = [...part.querySelectorAll("details")].filter((one) => one.open).map((one) => named(part, one));
    const shut = [...part.querySelectorAll("details:not([open])")].map((one) => named(part, one));
    const scrolled = [...part.querySelectorAll("[tabindex]")]
      .filter((one) => one.scrollTop || one.scrollLeft)
      .map((one) => [named(part, one), one.scrollTop, one.scrollLeft]);
    const focus = part.contains(document.activeElement) ? named(part, document.activeElement) : null;
    const page = new DOMParser().parseFromString(html, "text/html");
    localise(page);
    part.replaceChildren(...page.body.childNodes);
    for (const one of open) found(part, one)?.setAttribute("open", "");
    for (const one of shut) found(part, one)?.removeAttribute("open");
    for (const [one, top, left] of scrolled) found(part, one)?.scrollTo(left, top);
    if (focus) found(part, focus)?.focus({ preventScroll: true });
  }

  // A form's token is another one each time, and no reason to replace anything.
  const told = (html) => html.replace(/name="csrf_token"[^>]*/g, "");

  function keepAlive(part) {
    const every = Math.max(1000, Number(part.dataset.every) || 5000);
    let last = null;
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
        const html = await answer.text();
        if (told(html) !== last && !typing(part) && !selecting(part)) {
          replace(part, html);
          last = told(html);
          part.dispatchEvent(new CustomEvent("relay:live", { bubbles: true }));
        }
        if (note.textContent) note.textContent = "";
        // The last fragment of something that ends, such as a progress bar, says so.
        done = answer.headers.has("X-Relay-Done");
      } catch {
        if (!document.hidden) note.textContent = "Not live: the relay does not answer. Trying again …";
      } finally {
        busy = false;
      }
      if (!done) timer = setTimeout(refresh, every);
    }
    timer = setTimeout(refresh, every);
    document.addEventListener("visibilitychange", () => document.hidden || refresh());
  }

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
