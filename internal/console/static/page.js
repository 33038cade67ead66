// Pages in parts: the server sends the main part of a page alone if it is asked.

export const main = () => document.getElementById("main");

// fetchMain returns the main part of a page, where it was found, and its status.
export async function fetchMain(address, options = {}) {
  const answer = await fetch(address, { ...options, headers: { ...options.headers, "X-Fragment": "1" } });
  const root = document.createElement("template");
  if (answer.status !== 204) root.innerHTML = await answer.text();
  return { ok: answer.ok, status: answer.status, url: answer.url, saved: answer.headers.get("X-Saved"), title: answer.headers.get("X-Title"), root: root.content };
}

// swap shows another page's main part in place of this one. Focus stays on the
// control of the same id, with the caret, or goes to focus if it is given.
export function swap(answer, focus) {
  const { id: had, value, selectionStart: from, selectionEnd: to } = document.activeElement ?? {};
  const open = [...main().querySelectorAll("details[id][open]")].map((d) => d.id);
  main().replaceChildren(...answer.root.childNodes);
  if (answer.url && new URL(answer.url).pathname !== location.pathname) {
    history.pushState({ swapped: true }, "", answer.url);
    scrollTo(0, 0);
  }
  if (answer.title) document.title = decodeURIComponent(answer.title);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  document.dispatchEvent(new Event("console:swapped"));
  const target = focus?.() ?? (had ? document.getElementById(had) : null) ?? document.getElementById("problems");
  target?.focus({ preventScroll: target.id !== "problems" });
  if (had && target?.id === had && target.value === value && Number.isInteger(from)) target.setSelectionRange(from, to);
}

addEventListener("popstate", () => location.reload());
