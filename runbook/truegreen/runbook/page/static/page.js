"use strict";
// The server says everything once and whole; this counts seconds, copies lines, and swaps in what is new.
(() => {
  const CHARTS = 30000;
  const main = document.querySelector("main[data-poll]");
  const ahead = main ? Number(main.dataset.now) - Date.now() / 1000 : 0;
  const now = () => Date.now() / 1000 + ahead;

  const left = (seconds) => {
    const whole = Math.floor(Math.abs(seconds)), two = (n) => String(n).padStart(2, "0");
    const days = Math.floor(whole / 86400), hours = Math.floor(whole / 3600) % 24, minutes = Math.floor(whole / 60) % 60;
    const shown = days ? `${days} d ${hours} h` : hours ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
    return (seconds < 0 ? "-" : "") + shown;
  };
  const count = () => {
    for (const one of document.querySelectorAll("[data-due]")) {
      const rest = Number(one.dataset.due) - now();
      one.textContent = left(rest);
      one.classList.toggle("over", rest < 0);
    }
    for (const one of document.querySelectorAll("[data-since]")) one.textContent = left(now() - Number(one.dataset.since));
  };

  const copy = async (button) => {
    const text = button.previousElementSibling;
    let done = false;
    try {
      await navigator.clipboard.writeText(text.textContent);
      done = true;
    } catch {
      // Without https a browser has no clipboard to give: select it, and copy as a person does.
      const range = document.createRange();
      range.selectNodeContents(text);
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
  });

  for (const field of document.querySelectorAll("[data-kept]")) {
    try {
      field.value = field.value || localStorage.getItem(field.dataset.kept) || "";
      field.addEventListener("change", () => {
        localStorage.setItem(field.dataset.kept, field.value);
        for (const other of document.querySelectorAll(`[data-kept="${field.dataset.kept}"]`)) other.value = field.value;
      });
    } catch { /* a browser that keeps nothing */ }
  }

  const parsed = async (answer) => new DOMParser().parseFromString(await answer.text(), "text/html");
  const swap = (old, fresh) => {
    const open = new Set([...old.querySelectorAll("details[open]")].map((one) => one.id));
    const had = new Set([...old.querySelectorAll("li[id]")].map((one) => one.id));
    const next = document.importNode(fresh, true);
    for (const one of next.querySelectorAll("details")) one.open = open.has(one.id);
    if (old.id === "log") for (const one of next.querySelectorAll("li[id]")) one.classList.toggle("new", !had.has(one.id));
    old.replaceWith(next);
  };

  let tag = "";
  const lost = document.getElementById("lost");
  const poll = async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.pathname, { headers: { Accept: "text/html", ...(tag ? { "If-None-Match": tag } : {}) }, cache: "no-store" });
      if (answer.status === 401) return location.reload();
      lost.hidden = answer.status === 200 || answer.status === 304;
      if (answer.status !== 200) return;
      tag = answer.headers.get("ETag") || "";
      const fresh = await parsed(answer);
      for (const part of document.querySelectorAll("[data-live]")) {
        const made = fresh.getElementById(part.id);
        if (made && !made.isEqualNode(part)) swap(part, made);
      }
      document.title = fresh.title;
      count();
    } catch {
      lost.hidden = false;
    }
  };
  const charts = async () => {
    const place = document.querySelector("[data-from]");
    if (document.hidden) return;
    try {
      const answer = place && (await fetch(place.dataset.from, { cache: "no-store" }));
      if (answer && answer.ok) place.replaceWith(document.importNode((await parsed(answer)).getElementById("charts"), true));
    } catch { /* the banner says it */ }
    document.documentElement.dataset.ready = "1";
  };

  if (main) {
    const pause = 1000 * Number(main.dataset.poll);
    count();
    setInterval(count, 1000);
    const again = () => poll().finally(() => setTimeout(again, pause));
    setTimeout(again, pause);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) { poll(); charts(); } });
    setInterval(charts, CHARTS);
    charts();
  } else {
    document.documentElement.dataset.ready = "1";
  }
})();
