// Forms with data-editor: their buttons work without a reload, rows can be
// dragged, and a draft is kept while somebody types.
import { fetchMain, swap } from "./page.js";

const pause = 900; // ms after the last key before a draft is kept

// released resolves when no button of the mouse is down. A page that changes
// between down and up would lose the click.
let down = false;
addEventListener("pointerdown", () => (down = true), true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (down = false), true);
const released = () => new Promise((done) => (down ? addEventListener("pointerup", () => setTimeout(done), { once: true, capture: true }) : done()));

export function editors(root) {
  for (const form of root.querySelectorAll("form[data-editor]")) prepare(form);
}

function prepare(form) {
  let timer = 0;
  let turn = Promise.resolve(); // one request after the other: each knows what the last one saved
  let waiting = 0; // actions that wait for their turn
  let edits = 0; // how often somebody changed the form
  let behind = false; // what the server made of the form is not shown yet
  const say = (text) => {
    const state = form.querySelector("[data-state]");
    if (state) state.textContent = text;
  };

  const send = (submitter) => {
    clearTimeout(timer);
    const body = new URLSearchParams(new FormData(form, submitter instanceof HTMLElement ? submitter : null));
    if (typeof submitter === "string") body.set("do", submitter);
    const saved = form.querySelector("[name=saved]");
    if (saved) body.set("saved", saved.value);
    return fetchMain(form.action, { method: "POST", body });
  };

  const keep = async () => {
    if (!form.isConnected) return;
    say("Keeping your draft…");
    const answer = await send("draft").catch(() => null);
    if (answer?.status === 204) {
      form.querySelector("[name=saved]").value = answer.saved;
      say("Your draft is kept.");
    } else if (answer?.status === 409) {
      swap(answer, () => document.getElementById("problems"));
    } else if (answer?.status === 401) {
      say("You are signed out. Sign in in another tab, then go on here.");
    } else {
      say("Your draft could not be kept. Check the network; it is tried again when you go on.");
    }
  };

  // act does what a button says, or, as "refresh", shows what follows from a
  // choice. A refresh never undoes what was entered since it was sent; meanwhile
  // other actions lock the form, because they change its rows.
  const act = async (submitter) => {
    const verb = typeof submitter === "string" ? submitter : submitter.value;
    if (!form.isConnected || (verb === "refresh" && waiting > 0)) return;
    say("");
    behind = false;
    const before = edits;
    form.inert = verb !== "refresh";
    const answer = await send(submitter).catch(() => null);
    form.inert = false;
    if (!answer) return say("There is no answer. Check the network, then try again.");
    if (answer.status === 401) return location.reload();
    if (verb === "refresh") await released();
    const saved = answer.root.querySelector("[name=saved]");
    if (verb === "refresh" && answer.ok && saved && (waiting > 0 || edits !== before)) {
      form.querySelector("[name=saved]").value = saved.value;
      behind = true;
      return keepLater();
    }
    swap(answer, () => focusAfter(verb));
  };
  const queue = (submitter) => {
    waiting++;
    form.setAttribute("aria-busy", "true");
    turn = turn.then(async () => {
      waiting--;
      await act(submitter);
      if (waiting === 0 && !behind) form.removeAttribute("aria-busy");
    });
  };
  const keepLater = () => {
    clearTimeout(timer);
    timer = setTimeout(() => (behind ? queue("refresh") : (turn = turn.then(keep))), pause);
  };

  form.addEventListener("submit", (event) => {
    const submitter = event.submitter;
    if (!submitter?.name) return;
    event.preventDefault();
    queue(submitter);
  });
  form.addEventListener("input", () => {
    edits++;
    if (form.dataset.editor === "draft") keepLater();
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-auto]")) queue("refresh");
  });
  for (const list of form.querySelectorAll("[data-sortable]")) sortable(list, () => queue("refresh"));
}

// focusAfter is what to focus after a button's work: the new row, or the button
// that adds one where a row was removed.
function focusAfter(verb) {
  const [what, path = ""] = verb.split(/:(.*)/s);
  if (what === "add") {
    const rows = document.querySelectorAll(`input[type=hidden][name="${CSS.escape(path)}"]`);
    const row = rows[rows.length - 1]?.closest("li, tr, fieldset, .when");
    return row?.querySelector("select, input:not([type=hidden]), button") ?? null;
  }
  if (what === "remove") return document.querySelector(`button[value="add:${CSS.escape(path.replace(/\[\d+\]$/, ""))}"]`);
  if (what === "up" || what === "down") {
    const [, list, n] = path.match(/^(.*)\[(\d+)\]$/) ?? [];
    const to = Number(n) + (what === "up" ? -1 : 1);
    const button = document.querySelector(`button[value="${what}:${CSS.escape(`${list}[${to}]`)}"]`);
    return button?.disabled ? document.querySelector(`button[value="${what === "up" ? "down" : "up"}:${CSS.escape(`${list}[${to}]`)}"]`) : button;
  }
  return what === "refresh" ? undefined : document.getElementById("problems");
}

// sortable lets rows be dragged; the buttons do the same for the keyboard.
function sortable(list, done) {
  let dragged = null;
  for (const row of list.children) row.draggable = true;
  list.addEventListener("dragstart", (event) => {
    dragged = event.target.closest("li");
    dragged.classList.add("dragged");
    event.dataTransfer.effectAllowed = "move";
  });
  list.addEventListener("dragover", (event) => {
    const over = event.target.closest("li");
    if (!dragged || !over || over === dragged || over.parentElement !== list) return;
    event.preventDefault();
    const box = over.getBoundingClientRect();
    over[event.clientY < box.top + box.height / 2 ? "before" : "after"](dragged);
  });
  list.addEventListener("drop", (event) => event.preventDefault());
  list.addEventListener("dragend", () => {
    if (!dragged) return;
    dragged.classList.remove("dragged");
    dragged = null;
    done();
  });
}
