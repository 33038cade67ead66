// Forms with data-editor: their buttons work without a reload, rows can be
// dragged, and a draft is kept while somebody types.
import { fetchMain, swap } from "./page.js";

const pause = 900; // ms after the last key before a draft is kept

export function editors(root) {
  for (const form of root.querySelectorAll("form[data-editor]")) prepare(form);
}

function prepare(form) {
  let timer = 0;
  let turn = Promise.resolve(); // one request after the other: each knows what the last one saved
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

  const act = async (submitter) => {
    say("");
    const verb = typeof submitter === "string" ? submitter : submitter.value;
    const answer = await send(submitter).catch(() => null);
    if (!answer) return say("There is no answer. Check the network, then try again.");
    if (answer.status === 401) return location.reload();
    swap(answer, () => focusAfter(verb));
  };

  form.addEventListener("submit", (event) => {
    const submitter = event.submitter;
    if (!submitter?.name) return;
    event.preventDefault();
    turn = turn.then(() => act(submitter));
  });
  form.addEventListener("change", (event) => {
    if (event.target.matches("[data-auto]")) turn = turn.then(() => form.isConnected && act("refresh"));
  });
  if (form.dataset.editor === "draft") {
    form.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => (turn = turn.then(keep)), pause);
    });
  }
  for (const list of form.querySelectorAll("[data-sortable]")) sortable(list, () => (turn = turn.then(() => act("refresh"))));
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
  return document.getElementById("problems") ?? undefined;
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
