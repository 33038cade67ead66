// What the console does beside plain pages: fresh numbers while something runs,
// editing without reloads, dialogs, and the key / for Find. Without it every page
// works all the same.
import { editors } from "./editor.js";
import { swap, fetchMain, main } from "./page.js";

// zone: the browser knows it; the server shows times in it from the next page on.
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
if (zone && !document.cookie.split("; ").some((c) => c.startsWith("zone="))) {
  document.cookie = `zone=${encodeURIComponent(zone).replaceAll("%2F", "/")}; path=/; max-age=31536000; samesite=lax`;
  if (![undefined, zone].includes(document.getElementById("zone")?.textContent)) location.reload();
}

// enhance prepares what a page or fragment holds.
function enhance(root) {
  for (const list of root.querySelectorAll("datalist[data-zones]")) {
    list.replaceChildren(...Intl.supportedValuesOf("timeZone").map((name) => new Option("", name)));
  }
  for (const box of root.querySelectorAll("[data-load]")) load(box);
  for (const region of root.querySelectorAll("[data-live]")) keepFresh(region);
  editors(root);
}

// load fetches what a page shows later, such as a sample.
async function load(box) {
  const answer = await fetchMain(box.dataset.load).catch(() => null);
  const fresh = answer?.ok && answer.root.querySelector("#" + box.id);
  if (fresh && box.isConnected) box.replaceChildren(...fresh.childNodes);
}

// keepFresh fetches a region again and again while somebody looks at it.
function keepFresh(region) {
  const id = region.id;
  const turn = async () => {
    const now = document.getElementById(id);
    if (now !== region) return;
    const busy = document.hidden || document.activeElement !== document.body && document.activeElement?.closest("[data-live], form.filters, dialog");
    const answer = busy ? null : await fetchMain(location.href).catch(() => null);
    const fresh = answer?.ok && answer.root.querySelector("#" + id);
    if (answer?.status === 401) return location.reload();
    if (fresh && region.isConnected) {
      const ended = region.childElementCount > 0 && fresh.childElementCount === 0 || fresh.dataset.latest !== region.dataset.latest;
      const differs = fresh.innerHTML !== region.innerHTML;
      if (ended || (differs && !fresh.dataset.live)) return swap(answer);
      if (differs) {
        region.replaceChildren(...fresh.childNodes);
        region.dataset.live = fresh.dataset.live;
      }
    }
    setTimeout(turn, Number(region.dataset.live));
  };
  setTimeout(turn, Number(region.dataset.live));
}

// dialogs: a link with data-dialog opens its page in one.
async function openDialog(address) {
  const answer = await fetchMain(address).catch(() => null);
  if (!answer?.ok) return location.assign(address);
  const dialog = document.createElement("dialog");
  dialog.setAttribute("aria-label", answer.root.querySelector("h1")?.textContent ?? "");
  dialog.append(...answer.root.childNodes);
  dialog.addEventListener("close", () => dialog.remove());
  main().append(dialog);
  dialog.showModal();
  enhance(dialog);
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a");
  const plain = event.button === 0 && !event.metaKey && !event.ctrlKey && !event.shiftKey;
  if (link?.matches("dialog [data-close]")) {
    event.preventDefault();
    link.closest("dialog").close();
  } else if (link?.matches("[data-dialog]") && plain) {
    event.preventDefault();
    link.closest("details.menu")?.removeAttribute("open");
    openDialog(link.href);
  } else if (link?.matches("[data-busy]") && plain) {
    link.setAttribute("aria-busy", "true");
    link.textContent = "Working…";
  }
  for (const menu of document.querySelectorAll("details.menu[open], details.boxes[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});

document.addEventListener("keydown", (event) => {
  const typing = event.target.closest?.("input, textarea, select, dialog, [contenteditable]");
  if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
    const find = document.getElementById("find");
    if (find) {
      event.preventDefault();
      find.focus();
      find.select();
    }
  }
  if (event.key === "Escape") {
    const open = event.target.closest?.("details.menu[open], details.boxes[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  }
});

document.addEventListener("console:swapped", () => enhance(main()));
if (location.hash === "" && document.getElementById("problems")) document.getElementById("problems").focus();
enhance(document);
