// Pages in parts: the server sends the main part of a page alone if it is asked.

export const main = () => document.getElementById("main");

// fetchMain returns the main part of a page, where it was found, and its status.
export async function fetchMain(address, options = {}) {
  const answer = await fetch(address, { ...options, headers: { ...options.headers, "X-Fragment": "1" } });
  const root = document.createElement("template");
  if (answer.status !== 204) root.innerHTML = await answer.text();
  return { ok: answer.ok, status: answer.status, url: answer.url, saved: answer.headers.get("X-Saved"), title: answer.headers.get("X-Title"), root: root.content };
}

// same is the control of a page that had the focus before the page changed.
function same({ id, name, value, tagName }) {
  if (id) return document.getElementById(id);
  return name ? [...main().querySelectorAll(`${tagName}[name="${CSS.escape(name)}"]`)].find((e) => e.value === value) : null;
}

// swap shows another page's main part in place of this one. Focus stays on the
// same control, with the caret, or goes to focus if it is given.
export function swap(answer, focus) {
  const had = document.activeElement ?? document.body;
  const { selectionStart: from, selectionEnd: to } = had;
  const open = [...main().querySelectorAll("details[id][open]")].map((d) => d.id);
  main().replaceChildren(...answer.root.childNodes);
  if (answer.url && new URL(answer.url).pathname !== location.pathname) {
    history.pushState({ swapped: true }, "", answer.url);
    scrollTo(0, 0);
  }
  if (answer.title) document.title = decodeURIComponent(answer.title);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  document.dispatchEvent(new Event("console:swapped"));
  const target = focus?.() ?? same(had) ?? document.getElementById("problems");
  target?.focus({ preventScroll: target.id !== "problems" });
  if (target?.id === had.id && target?.value === had.value && Number.isInteger(from)) target.setSelectionRange(from, to);
}

addEventListener("popstate", () => location.reload());
