// Lists, histories and what they have in common, as elements of the page. search.js follows in the same script.
const FIRST_SHOWN = 12; // items of a history that are not folded away
const HEADINGS = { users: "Nearest users", items: "Nearest items", recommendations: "Recommended items" };
const LISTED = { users: "users", items: "items", recommendations: "items" };
const element = (id) => document.getElementById(`explore-${id}`);
let page; // what page_data.py returns

/** Return a new element. Texts become text nodes: nothing in the data is read as markup. */
function make(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

function sums(numbers) {
  let sum = 0;
  return numbers.map((number) => (sum += number));
}

/** Return where each group of these sizes begins, and the end of the last. */
const starts = (sizes) => [0, ...sums(sizes)];
const plural = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
const folded = (text) => String(text).normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

async function read() {
  const bytes = Uint8Array.from(atob(element("data").textContent), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const read = await new Response(stream).json();
  for (const names of [read.users, read.items]) names.indexes = sums(names.indexes);
  if (read.history) read.history.starts = starts(read.history.sizes);
  for (const lists of Object.values(read.lists)) {
    lists.of = sums(lists.of);
    lists.positions = new Map(lists.of.map((place, position) => [place, position]));
    for (const model of lists.models) model.starts = starts(model.sizes);
  }
  return read;
}

const choosable = (of) => page.lists[of] ?? (of === "users" ? page.lists.recommendations : undefined);

/** Return the title of an item, or "User 10" and the like, and what stands in small print: in full, and in short. */
function named(of, place) {
  const [index, id, title] = [page[of].indexes[place], page[of].ids[place], page[of].titles?.[place]];
  if (title) return [title, `item ${index}, id ${id}`, `item\u00a0${index}`];
  return [`${of === "users" ? "User" : "Item"} ${index}`, `id ${id}`, `id ${id}`];
}

/** Return the items of a user, ascending, each with its value if there is one. */
function history(place) {
  const { starts, items, values, codes } = page.history;
  const [first, end] = [starts[place], starts[place + 1]];
  return sums(items.slice(first, end)).map((item, at) => ({ item, value: codes ? values[codes[first + at]] : null }));
}

function titleList(entries) {
  const title = (item) => page.items.titles?.[item] || `id ${page.items.ids[item]}`;
  const rows = entries.map(({ item, value }) => make("li", {}, title(item), value && make("b", {}, String(value))));
  return make("ul", { className: "titles" }, ...rows);
}

/** Return the number of users of an item, or the items of a user: those with the highest values first. */
function historyOf(of, place) {
  const line = (text) => make("p", { className: "muted" }, text);
  if (of === "items") return [line(plural(page.item_users[place], "user"))];
  const entries = history(place).sort((a, b) => b.value - a.value || a.item - b.item);
  if (!entries.length) return [line("No items")];
  const [first, rest] = [entries.slice(0, FIRST_SHOWN), entries.slice(FIRST_SHOWN)];
  const order = page.history.codes ? `, by ${page.value}` : "";
  const parts = [line(`${plural(entries.length, "item")}${order}`), titleList(first)];
  if (!rest.length) return parts;
  return [...parts, make("details", {}, make("summary", {}, plural(rest.length, "further item")), titleList(rest))];
}

/** Return the entries of one list of one model, best first. */
function entriesOf(target, model, position) {
  const { starts, entries, replicates, scores, common } = page.lists[target].models[model];
  return entries.slice(starts[position], starts[position + 1]).map((place, at) => ({
    place,
    replicates: replicates[starts[position] + at],
    score: scores?.[starts[position] + at] ?? null,
    common: common?.[starts[position] + at] ?? null,
  }));
}

/** Return what a neighbour has in common with the one who was chosen, or how many users an item has. */
function facts(target, entry, chosen) {
  const score = entry.score === null ? "" : `score ${(entry.score / 1000).toFixed(3)}`;
  const line = (...parts) => make("div", { className: "facts" }, parts.filter(Boolean).join(" · "));
  if (!page.history) return score ? line(score) : null;
  if (target === "items") {
    const users = plural(page.item_users[entry.place], "user");
    return line(score, `${entry.common.toLocaleString("en")} of its ${users} in common`);
  }
  if (target === "recommendations") return line(score, plural(page.item_users[entry.place], "user"));
  const own = new Set(history(chosen).map(({ item }) => item));
  const theirs = history(entry.place);
  const common = theirs.filter(({ item }) => own.has(item)).map(({ item }) => ({ item, value: null }));
  const text = [score, `${common.length} of ${plural(theirs.length, "item")} in common`].filter(Boolean).join(" · ");
  if (!common.length) return line(text);
  return make("details", { className: "facts" }, make("summary", {}, text), titleList(common));
}

function entryRow(target, entry, chosen, model, isShared) {
  const of = LISTED[target];
  const canBeChosen = choosable(of)?.positions.has(entry.place);
  const [name, , detail] = named(of, entry.place);
  const mark = isShared ? make("span", { className: "mark", title: "listed under every model" }) : null;
  const small = make("small", {}, ` ${detail}`);
  const heading = make(canBeChosen ? "button" : "span", { className: "entry-name" }, name, small, mark);
  if (canBeChosen) {
    heading.type = "button";
    heading.addEventListener("click", () => show(of, entry.place, true));
  }
  const number = `${entry.replicates} of ${model.replicates}`;
  const share = make("span", { className: "share" }, make("i"), make("span", {}, number));
  share.title = `listed by ${entry.replicates} of ${plural(model.replicates, page.replicate)}`;
  share.style.setProperty("--share", `${(100 * entry.replicates) / model.replicates}%`);
  return make("li", { className: "entry" }, heading, share, facts(target, entry, chosen));
}

/** Return the lists of one kind under every model, side by side. */
function listsOf(target, chosen) {
  const { n, positions } = page.lists[target];
  const lists = page.models.map((_, model) => entriesOf(target, model, positions.get(chosen)));
  const firsts = lists.map((entries) => new Set(entries.slice(0, n).map(({ place }) => place)));
  const isShared = (place) => firsts.length > 1 && firsts.every((first) => first.has(place));
  const columns = page.models.map((model, at) => {
    const rows = lists[at].map((entry) => entryRow(target, entry, chosen, model, isShared(entry.place)));
    const heading = make("h5", {}, model.name, make("small", {}, ` ${plural(model.replicates, page.replicate)}`));
    const column = make("div", { className: "column" }, heading, make("ol", {}, ...rows.slice(0, n)));
    column.style.setProperty("--model", model.color);
    if (!rows.length) column.append(make("p", { className: "entry muted" }, "No entries."));
    if (rows.length > n) {
      const summary = make("summary", {}, `${rows.length - n} further ${rows.length - n === 1 ? "entry" : "entries"}`);
      column.append(make("details", { className: "more" }, summary, make("ol", {}, ...rows.slice(n))));
    }
    return column;
  });
  const shared = [...firsts[0]].filter(isShared).length;
  const mark = make("span", { className: "mark", hidden: !shared });
  const text = `${shared || "None"} of the first ${n} ${shared > 1 ? "are" : "is"} listed under every model`;
  const line = make("p", { className: "shared-line" }, mark, ` ${text}`);
  return [
    make("h4", {}, HEADINGS[target]),
    ...(page.models.length > 1 ? [line] : []),
    make("div", { className: "columns" }, ...columns),
  ];
}
