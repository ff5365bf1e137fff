// The search box, and what it chooses.
const MOST_SUGGESTIONS = 8;
const [choice, input, suggestions, status, result] = [
  "choice", "input", "suggestions", "status", "result",
].map(element);
let side; // users or items
let found = []; // places of the entities that are suggested
let active = -1; // the suggestion that the arrow keys have reached

/** Show the lists of a user or an item. `moves`: bring them into view, as a neighbour further down was chosen. */
function show(of, place, moves = false) {
  setSide(of);
  const [name, detail] = named(of, place);
  const heading = make("h3", {}, name, make("small", {}, ` ${detail}`));
  const targets = of === "users" ? ["users", "recommendations"] : ["items"];
  const lists = targets.filter((target) => page.lists[target]).flatMap((target) => listsOf(target, place));
  result.replaceChildren(heading, ...(page.history ? historyOf(of, place) : []), ...lists);
  input.value = page[of].titles?.[place] || page[of].indexes[place];
  status.textContent = "";
  close();
  if (moves) {
    heading.tabIndex = -1;
    heading.focus({ preventScroll: true });
    choice.scrollIntoView({ block: "start", behavior: "smooth" });
  }
}

/** Return how well an entity fits what was typed: 0 is best, Infinity not at all. */
function fit(typed, index, id, text) {
  if (String(index) === typed) return 0;
  if (id === typed) return 1;
  if (text && text.startsWith(typed)) return 2;
  if (text.includes(` ${typed}`)) return 3;
  return text.includes(typed) || id.startsWith(typed) ? 4 : Infinity;
}

function search() {
  const typed = folded(input.value.trim());
  const names = page[side];
  const fits = typed ? choosable(side).of.map((place) =>
    [fit(typed, names.indexes[place], folded(names.ids[place]), folded(names.titles?.[place] ?? "")), place]) : [];
  // of items that fit equally well, those that most users have come first
  const users = (place) => (side === "items" && page.item_users ? page.item_users[place] : 0);
  found = fits.filter(([rank]) => rank < Infinity)
    .sort(([rank, place], [otherRank, other]) => rank - otherRank || users(other) - users(place) || place - other)
    .slice(0, MOST_SUGGESTIONS).map(([, place]) => place);
  const rows = found.map((place, at) => {
    const row = make("li", { id: `explore-suggestion-${at}`, role: "option" });
    const [name, detail] = named(side, place);
    row.append(make("span", {}, name), make("small", {}, detail));
    row.addEventListener("mousedown", (event) => {
      event.preventDefault(); // the search box keeps the focus
      show(side, place);
    });
    return row;
  });
  suggestions.replaceChildren(...rows);
  suggestions.hidden = !rows.length;
  input.setAttribute("aria-expanded", String(rows.length > 0));
  const isNone = typed && !rows.length;
  status.textContent = isNone ? `No ${side.slice(0, -1)} with this index, id or title can be chosen.` : "";
  activate(rows.length ? 0 : -1);
}

function activate(at) {
  active = at;
  [...suggestions.children].forEach((row, position) => row.setAttribute("aria-selected", String(position === at)));
  if (at < 0) input.removeAttribute("aria-activedescendant");
  else input.setAttribute("aria-activedescendant", `explore-suggestion-${at}`);
}

function close() {
  suggestions.hidden = true;
  input.setAttribute("aria-expanded", "false");
  activate(-1);
}

function setSide(of) {
  side = of;
  for (const radio of document.getElementsByName("explore-side")) radio.checked = radio.value === of;
}

function onKey(event) {
  if (event.key === "Enter" && active >= 0) show(side, found[active]);
  else if (event.key === "Escape") close();
  else if (["ArrowDown", "ArrowUp"].includes(event.key) && suggestions.hidden) search();
  else if (event.key === "ArrowDown") activate((active + 1) % found.length);
  else if (event.key === "ArrowUp") activate((active + found.length - 1) % found.length);
  else return;
  event.preventDefault();
}

/** Show the first queried user or item of a side, or else the first one. */
function showFirst(of) {
  const { of: places, positions } = choosable(of);
  const place = page[of].indexes.indexOf(page.start[of]);
  show(of, positions.has(place) ? place : places[0]);
}

async function start() {
  page = await read();
  for (const radio of document.getElementsByName("explore-side")) {
    radio.closest("label").hidden = !choosable(radio.value);
    radio.addEventListener("change", () => showFirst(radio.value));
  }
  input.addEventListener("input", search);
  input.addEventListener("focus", () => input.select());
  input.addEventListener("blur", close);
  input.addEventListener("keydown", onKey);
  element("left-out").textContent = page.left_out;
  element("left-out").hidden = !page.left_out;
  choice.hidden = false;
  showFirst(choosable("users") ? "users" : "items");
}

start().catch((error) => {
  status.textContent = `These lists cannot be shown; they need a browser of 2023 or later (${error.message}).`;
});
