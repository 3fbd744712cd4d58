"use strict";
// The browser of rows. Rows are unpacked block by block; what they hold is only ever text.

const SHOWN = 10, CUT = 20000, WORDS = 1500;
const byId = (id) => document.getElementById(id);
const blocks = document.querySelectorAll("script.block");
// Characters that are not seen, or that move others: shown by their code. Joiners stay.
const UNSEEN = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu;

let index, found = [], page = 0, turn = 0, view = 0;
const cache = new Map();

async function unpack(element) {
  const packed = atob(element.textContent.trim());
  const bytes = new Uint8Array(packed.length);
  for (let i = 0; i < packed.length; i++) bytes[i] = packed.charCodeAt(i);
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

async function block(number) {
  if (!cache.has(number)) {
    if (cache.size >= 8) cache.delete(cache.keys().next().value);
    cache.set(number, unpack(blocks[number]));
  }
  return cache.get(number);
}

function blockOf(row) {
  let low = 0, high = index.starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (index.starts[middle] <= row) low = middle; else high = middle - 1;
  }
  return low;
}

function make(tag, name, text) {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text !== undefined) element.textContent = text;
  return element;
}

/** Append `text` to `parent`; unseen characters by their code. */
function write(parent, text) {
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    parent.append(text.slice(from, match.index));
    const code = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parent.append(make("span", "control", "U+" + code));
    from = match.index + match[0].length;
  }
  parent.append(text.slice(from));
}

/** `text` in `parent`, the search's hits marked. */
function writeHits(parent, text, wanted) {
  const low = text.toLowerCase();
  let from = 0;
  for (let at = wanted ? low.indexOf(wanted) : -1; at >= 0 && low.length === text.length;) {
    write(parent, text.slice(from, at));
    const hit = parent.appendChild(make("mark", "hit"));
    write(hit, text.slice(at, at + wanted.length));
    from = at + wanted.length;
    at = low.indexOf(wanted, from);
  }
  write(parent, text.slice(from));
}

/** A box of text. `spans` are [text, whether it is marked]; long ones are cut until asked for. */
function box(name, spans, wanted) {
  const holder = make("div", name), text = holder.appendChild(make("div", "text"));
  text.dir = "auto";
  text.tabIndex = 0;
  const length = spans.reduce((sum, [part]) => sum + part.length, 0);
  const fill = (limit) => {
    text.replaceChildren();
    for (const [part, marked] of spans) {
      if (limit <= 0) break;
      writeHits(marked ? text.appendChild(make("mark")) : text, part.slice(0, limit), wanted);
      limit -= part.length;
    }
  };
  fill(CUT);
  if (length > CUT) {
    const more = make("button", "more", `Show all ${length.toLocaleString("en")} characters`);
    more.type = "button";
    more.onclick = () => { fill(Infinity); more.remove(); };
    holder.append(more);
  }
  return holder;
}

/** Two texts as spans, the words marked that only one of them has (longest common subsequence). */
function difference(a, b) {
  const words = (text) => text.match(/\s+|[\p{L}\p{N}_]+|[^]/gu) ?? [];
  if (a.length > 50 * CUT || b.length > 50 * CUT) return [[[a, false]], [[b, false]]];
  const x = words(a), y = words(b);
  let head = 0, tail = 0;
  const least = Math.min(x.length, y.length);
  while (head < least && x[head] === y[head]) head++;
  while (tail < least - head && x[x.length - 1 - tail] === y[y.length - 1 - tail]) tail++;
  const p = x.slice(head, x.length - tail), q = y.slice(head, y.length - tail);
  const keptP = new Uint8Array(p.length), keptQ = new Uint8Array(q.length);
  if (p.length <= WORDS && q.length <= WORDS) {
    const width = q.length + 1, best = new Uint16Array((p.length + 1) * width);
    for (let i = p.length - 1; i >= 0; i--)
      for (let j = q.length - 1; j >= 0; j--)
        best[i * width + j] = p[i] === q[j]
          ? best[(i + 1) * width + j + 1] + 1
          : Math.max(best[(i + 1) * width + j], best[i * width + j + 1]);
    for (let i = 0, j = 0; i < p.length && j < q.length;) {
      if (p[i] === q[j]) { keptP[i++] = 1; keptQ[j++] = 1; }
      else if (best[(i + 1) * width + j] >= best[i * width + j + 1]) i++;
      else j++;
    }
  }
  const spans = (all, middle, kept) => {
    const runs = [[all.slice(0, head).join(""), false]];
    middle.forEach((word, i) => {
      const marked = !kept[i], last = runs[runs.length - 1];
      if (last[1] === marked) last[0] += word; else runs.push([word, marked]);
    });
    return [...runs, [all.slice(all.length - tail).join(""), false]];
  };
  return [spans(x, p, keptP), spans(y, q, keptQ)];
}

function article(row, number, wanted) {
  const element = make("article"), [set, status] = index.groups[index.rows[number]];
  const head = element.appendChild(make("header"));
  writeHits(head.appendChild(make("bdi")), row.id, wanted);
  write(head.appendChild(make("bdi", "status")), `${set}: ${status}`);
  const facts = element.appendChild(make("p", "facts"));
  for (const [name, value] of Object.entries(row.facts)) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    write(facts.appendChild(make("bdi")), `${name} ${text.slice(0, 300)}`);
    facts.append(" \u00b7 ");
  }
  facts.lastChild?.remove();
  element.append(box("prompt", [[row.prompt, false]], wanted));
  const sides = element.appendChild(make("div", "sides"));
  const pair = "chosen" in row.sides && "rejected" in row.sides;
  const [chosen, rejected] = pair ? difference(row.sides.chosen, row.sides.rejected) : [];
  for (const [name, text] of Object.entries(row.sides)) {
    const side = sides.appendChild(make("div"));
    side.append(make("h4", "", name));
    const spans = pair && name === "chosen" ? chosen : pair && name === "rejected" ? rejected : [[text, false]];
    side.append(box(name === "rejected" ? "rejected" : "side", spans, wanted));
  }
  return element;
}

async function draw() {
  const mine = ++view, wanted = byId("search").value.toLowerCase();
  const last = Math.max(0, Math.ceil(found.length / SHOWN) - 1);
  page = Math.min(Math.max(page, 0), last);
  const shown = [];
  for (const number of found.slice(page * SHOWN, (page + 1) * SHOWN)) {
    const at = blockOf(number);
    shown.push(article((await block(at))[number - index.starts[at]], number, wanted));
    if (mine !== view) return;
  }
  byId("list").replaceChildren(...shown);
  byId("page").value = page + 1;
  byId("page").max = last + 1;
  byId("pages").textContent = `of ${(last + 1).toLocaleString("en")}`;
  byId("back").disabled = page === 0;
  byId("next").disabled = page === last;
}

function say(done) {
  const all = index.rows.length.toLocaleString("en"), n = found.length.toLocaleString("en");
  const part = done < 1 ? `, ${Math.floor(100 * done)} % searched` : "";
  byId("found").textContent = `${n} of ${all} rows${part}`;
}

/** Find the rows of the chosen group that hold the wanted text, a block at a time. */
async function filter() {
  const mine = ++turn, group = byId("group").value, wanted = byId("search").value.toLowerCase();
  const inside = (number) => group === "" || index.rows[number] === Number(group);
  found = [];
  page = 0;
  if (!wanted) {
    for (let i = 0; i < index.rows.length; i++) if (inside(i)) found.push(i);
    say(1);
    return draw();
  }
  for (let b = 0; b < blocks.length; b++) {
    const start = index.starts[b], end = index.starts[b + 1] ?? index.rows.length;
    if (group !== "" && !index.rows.slice(start, end).some((g) => g === Number(group))) continue;
    const rows = cache.has(b) ? await block(b) : await unpack(blocks[b]);
    if (mine !== turn) return;
    const few = found.length < SHOWN;
    rows.forEach((row, i) => {
      if (!inside(start + i)) return;
      const facts = Object.entries(row.facts).map(([name, value]) => `${name} ${value}`);
      const texts = [row.id, row.prompt, ...Object.values(row.sides), ...facts];
      if (texts.some((text) => text.toLowerCase().includes(wanted))) found.push(start + i);
    });
    say((b + 1) / blocks.length);
    if (few && found.length) await draw();
    if (mine !== turn) return;
  }
  say(1);
  return draw();
}

function turnTo(number) {
  page = number;
  return draw();
}

async function start() {
  index = await unpack(byId("index"));
  const counts = new Map();
  for (const group of index.rows) counts.set(group, (counts.get(group) ?? 0) + 1);
  index.groups.forEach(([set, status], number) => {
    const option = make("option", "", `${set}: ${status} (${counts.get(number).toLocaleString("en")})`);
    option.value = number;
    byId("group").append(option);
  });
  let waiting;
  byId("search").oninput = () => { clearTimeout(waiting); waiting = setTimeout(filter, 200); };
  byId("group").onchange = filter;
  byId("filter").onsubmit = (event) => { event.preventDefault(); filter(); };
  byId("back").onclick = () => turnTo(page - 1);
  byId("next").onclick = () => turnTo(page + 1);
  byId("page").onchange = () => turnTo(Number(byId("page").value) - 1 || 0);
  await filter();
  document.body.dataset.ready = "yes";
}

start();
