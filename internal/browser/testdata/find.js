// What a person sees on a page and can reach, for the tests. It runs by the
// debugger, beside the page's own script.
(() => {
  const words = (text) => (text ?? "").replace(/\s+/g, " ").trim();
  const shown = (e) => e.checkVisibility({ visibilityProperty: true }) && e.getClientRects().length > 0;
  const root = () => document.querySelector("dialog[open]") ?? document;
  const isSelector = (what) => /^[#.[]|\[/.test(what);

  // find returns what is shown under a selector, or the link, button, summary or
  // label of a text.
  const find = (what) => {
    const all = isSelector(what) ? root().querySelectorAll(what) : root().querySelectorAll("a, button, summary, label");
    const found = [...all].filter(shown);
    return isSelector(what) ? found[0] : found.find((e) => words(e.innerText) === what || e.getAttribute("aria-label") === what);
  };

  return {
    // mark remembers what the page shows, so that fresh can tell when it is another.
    mark() { globalThis.__shown = document.getElementById("main")?.firstElementChild ?? document.body.firstElementChild; },
    fresh() { return document.readyState === "complete" && !globalThis.__shown?.isConnected; },

    // point returns where to click, or why that is not possible yet.
    point(what, atOnce) {
      if (!atOnce && document.querySelector("[aria-busy=true]")) return { why: "waits for the server" };
      const e = find(what);
      if (!e) return { why: "is not shown" };
      if (e.disabled) return { why: "is disabled" };
      e.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
      const box = e.getClientRects()[0]; // of a link in several lines, the first one
      const x = box.left + Math.min(box.width / 2, 60), y = box.top + box.height / 2;
      const top = document.elementFromPoint(x, y);
      if (!top || !e.contains(top)) return { why: `is covered by ${top?.outerHTML.slice(0, 200)}` };
      return { x, y };
    },
    // select chooses an option by its text, as the list that a browser opens does.
    select(what, text) {
      const e = find(what);
      const option = [...(e?.options ?? [])].find((o) => words(o.text) === text || o.value === text);
      if (!option) return e ? `has no option ${text}: ${[...e.options].map((o) => o.text).join(" | ")}` : "is not shown";
      e.focus();
      if (e.value !== option.value) {
        e.value = option.value;
        e.dispatchEvent(new Event("input", { bubbles: true }));
        e.dispatchEvent(new Event("change", { bubbles: true }));
      }
      return "";
    },
    text() { return words(root() === document ? document.body.innerText : root().innerText); },
    value(what) { return find(what)?.value ?? ""; },
    // focus tells what has the focus.
    focus() {
      const e = document.activeElement;
      return { name: e?.name ?? "", value: e?.value ?? "", id: e?.id ?? "", tag: e?.tagName ?? "", text: words(e?.innerText).slice(0, 80), checked: !!e?.checked, visible: !!e?.matches?.(":focus-visible") };
    },
    // overflow names what makes the page wider than the screen.
    overflow() {
      if (document.documentElement.scrollWidth <= innerWidth) return "";
      const out = [...document.querySelectorAll("main *")].filter((e) => shown(e) && !e.closest(".scroll") && e.getBoundingClientRect().right > innerWidth);
      return words(out.slice(0, 3).map((e) => e.outerHTML.slice(0, 150)).join(" | ")) || "the frame";
    },
  };
})()
