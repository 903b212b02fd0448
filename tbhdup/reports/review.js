"use strict";
// The report as its lines hold it, and what has been chosen. Names come as data and are only ever set as text.
const data = JSON.parse(document.getElementById("data").textContent);
const token = new URLSearchParams(location.search).get("token");
const find = id => document.getElementById(id);
const list = find("list"), rows = find("rows"), detail = find("detail"), filter = find("filter");
const compare = find("compare"), help = find("help");
const ROW = 84; // pixels, as in the style
const narrow = matchMedia("(max-width: 50rem)");

let pictures = 0;
const groups = data.groups.map((group, number) => {
  const contents = [];
  group.members.forEach((member, place) => {
    const last = contents.at(-1);
    if (last && last.digest === member.digest) last.members.push(place);
    else contents.push({digest: member.digest, picture: pictures++, members: [place], group: number});
  });
  contents.forEach((content, place) => { content.map = data.maps[number][place]; });
  const centre = contents.find(content => content.members.some(place => group.members[place].path === group.centre));
  const waste = group.members.reduce((sum, member) => sum + (member.keep ? 0 : member.size), 0);
  return {...group, number, contents, core: centre, waste, paths: data.shown[number].map((shown, place) => shown[0] ?? group.members[place].path)};
});
const choices = new Map(data.choices);
const apart = new Set(data.apart);
let shown = [];      // numbers of the groups that pass the filter, in order
let at = 0;          // place in `shown`
let here = 0;        // member of that group
const current = () => groups[shown[at]];

// Words

const UNITS = ["B", "kB", "MB", "GB", "TB"];
function size(bytes) {
  let power = 0;
  while (bytes >= 1000 && power < UNITS.length - 1) { bytes /= 1000; power++; }
  return `${power === 0 || bytes >= 100 ? bytes.toFixed(0) : bytes.toFixed(1)} ${UNITS[power]}`;
}
const counted = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
function parts(path) {
  const end = path.lastIndexOf(data.separator) + 1;
  return [path.slice(0, end), path.slice(end)];
}
function relation(group, content) {
  const member = group.members[content.members[0]], centre = group.members[group.core.members[0]];
  if (content === group.core) return group.contents.length > 1 ? "centre: the others were compared with it" : "identical bytes";
  if (!member.relation) return `not proven, cosine ${member.cosine.toFixed(3)}`;
  const larger = member.width * member.height > centre.width * centre.height;
  return `${larger ? "the centre was made from it" : "made from the centre"}: ${member.relation} (confidence ${member.confidence.toFixed(2)})`;
}

function make(tag, settings = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(settings)) {
    if (name in element) element[name] = value;
    else if (value !== null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}
function named(path) {
  const [folder, file] = parts(path);
  return make("bdi", {className: "path"}, make("b", {}, file), make("span", {className: "folder"}, folder));
}
function say(text) { find("said").textContent = text; }

// Pictures

function thumbnail(picture) {
  if (data.served) return `/thumbnail/${picture}?token=${token}`;
  const held = find(`t${picture}`)?.textContent;
  return held ? `data:image/webp;base64,${held}` : null;
}
// Large pictures come from the server; a page of its own tries the file itself, and falls back on its thumbnail.
function image(content, large, settings) {
  const source = thumbnail(content.picture);
  const link = data.shown[content.group][content.members[0]][1];
  const wanted = !large ? source : data.served ? `/view/${content.picture}?token=${token}` : link;
  const place = make("div", {className: "none"}, data.served || document.readyState !== "loading" ? "no picture: the file has changed since the report" : "loading");
  if (!wanted && !source) return place;
  const element = make("img", {decoding: "async", draggable: false, ...settings});
  element.addEventListener("error", () => {
    if (large && !data.served && source && element.src !== source) element.src = source;
    else element.replaceWith(place);
  });
  element.src = wanted ?? source;
  return element;
}

// The list: only the rows in sight, and some around them, are in the document

const drawn = new Map(); // place -> element
function drawRows() {
  const around = Math.max(8, Math.ceil(list.clientHeight / ROW));
  const first = Math.max(0, Math.floor(list.scrollTop / ROW) - around);
  const last = Math.min(shown.length, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + around);
  for (const [place, row] of drawn) {
    if ((place < first || place >= last) && place !== at) { row.remove(); drawn.delete(place); }
  }
  for (let place = first; place < last; place++) drawRow(place);
  if (shown.length) drawRow(at);
}
function drawRow(place) {
  if (drawn.has(place)) return;
  const group = groups[shown[place]];
  const stack = make("span", {className: "stack", ariaHidden: "true"});
  for (const content of group.contents.slice(0, 3)) stack.append(image(content, false, {alt: "", loading: "lazy"}));
  const [folder, file] = parts(group.paths[group.core.members[0]]);
  const row = make("div", {className: "row", role: "option", id: `g${group.number}`}, stack,
    make("span", {className: "words"}, make("bdi", {}, file), make("span", {className: "quiet"}, `${counted(group.members.length, "file")}, ${size(group.waste)}`),
      make("span", {className: "state quiet"})));
  row.title = folder + file;
  row.setAttribute("aria-setsize", shown.length);
  row.setAttribute("aria-posinset", place + 1);
  row.style.top = `${place * ROW}px`;
  row.addEventListener("click", () => { go(place); list.focus(); open(); });
  drawn.set(place, row);
  rows.append(row);
  drawState(place);
}
function drawState(place) {
  const row = drawn.get(place);
  if (!row) return;
  const group = groups[shown[place]];
  row.setAttribute("aria-selected", place === at);
  row.querySelector(".state").replaceChildren(make("span", {className: choices.has(group.number) || allApart(group) ? "chip done" : "chip"}, state(group)), ` ${group.kind}`);
}
const allApart = group => group.contents.length > 1 && group.contents.every(content => apart.has(content.picture));
function state(group) {
  if (allApart(group)) return "not duplicates";
  const stay = choices.get(group.number);
  if (!stay) return "undecided";
  const kept = stay.filter(Boolean).length;
  return kept === stay.length ? "keep all" : `keep ${kept}, drop ${stay.length - kept}`;
}

// The group that is looked at

function drawDetail() {
  if (!shown.length) {
    detail.replaceChildren(make("h2", {id: "title"}, groups.length ? "No group passes the filter" : "No groups: nothing to review"));
    return;
  }
  const group = current();
  const cards = make("ul", {className: "cards"});
  for (const content of group.contents) cards.append(card(group, content));
  detail.replaceChildren(
    make("h2", {id: "title", tabIndex: -1}, `Group ${group.number + 1}: ${group.kind}, ${counted(group.members.length, "file")}`),
    make("p", {className: "quiet", id: "verdict"}),
    make("div", {className: "bar"},
      button("List", () => document.body.classList.remove("open"), null, {id: "back"}),
      button("Use suggestion", suggest, "S"), button("Undecided", undo, "U", {id: "undo"}),
      button("Compare", () => startCompare(), "C", {disabled: group.contents.length < 2}),
      button("Previous", () => move(-1), "P"), button("Next", () => move(1), "J")),
    cards);
  detail.scrollTop = 0;
  drawChoice();
}
function button(text, action, key = null, settings = {}) {
  const made = make("button", {type: "button", ...settings}, text);
  if (key) { made.append(" ", make("kbd", {ariaHidden: "true"}, key)); made.setAttribute("aria-keyshortcuts", key); }
  made.addEventListener("click", event => { event.stopPropagation(); action(); });
  return made;
}
function card(group, content) {
  const member = group.members[content.members[0]];
  const name = parts(group.paths[content.members[0]])[1];
  const look = make("button", {type: "button", className: "look", ariaLabel: `Compare ${name}`, disabled: group.contents.length < 2},
    image(content, true, {alt: `Picture of ${name}`}));
  look.addEventListener("click", () => { pick(content.members[0]); startCompare(); });
  const facts = make("div", {className: "facts"},
    make("p", {}, relation(group, content)),
    make("p", {className: "quiet"}, `${member.width} × ${member.height} pixels, ${size(member.size)} (${counted(member.size, "byte")})`));
  if (data.served && group.contents.length > 1) {
    facts.append(button("Not a duplicate", () => { pick(content.members[0]); setApart(); }, "N", {className: "apartness"}));
  }
  const files = make("ul", {className: "files"});
  for (const place of content.members) {
    const link = data.shown[group.number][place][1];
    const path = named(group.paths[place]);
    const file = make("li", {id: `m${place}`}, link ? make("a", {href: link}, path) : path,
      make("div", {className: "choose", role: "group", ariaLabel: parts(group.paths[place])[1]},
        button("Keep", () => { pick(place); keep(); }, "K", {className: "yes"}),
        button("Drop", () => { pick(place); drop(); }, "D", {className: "no"}),
        button("Only this", () => { pick(place); only(); }, "O", {ariaLabel: "Keep only this"}),
        ...(group.members[place].keep ? [make("span", {className: "chip"}, "suggested")] : [])),
      make("p", {className: "note"}));
    file.addEventListener("click", () => pick(place));
    files.append(file);
  }
  return make("li", {className: "card", id: `p${content.picture}`}, look, facts, files);
}
// A dropped file goes for one that stays only if the two are known to be one picture: `apply` sees to that.
function goes(group, stay, place) {
  const digest = group.members[place].digest;
  return group.members.some((other, k) => stay[k] && (other.digest === digest || [digest, other.digest].includes(group.core.digest)));
}
function drawChoice() {
  const group = current();
  if (!group) return;
  const stay = choices.get(group.number);
  group.members.forEach((_, place) => {
    const file = find(`m${place}`);
    file.className = [stay && (stay[place] ? "stays" : "goes"), place === here && "here"].filter(Boolean).join(" ");
    file.querySelector(".yes").setAttribute("aria-pressed", Boolean(stay && stay[place]));
    file.querySelector(".no").setAttribute("aria-pressed", Boolean(stay && !stay[place]));
    file.querySelector(".note").textContent = stay && !stay[place] && !goes(group, stay, place)
      ? "Will stay: it was compared with the centre only, and that is dropped." : "";
  });
  for (const content of group.contents) {
    const off = apart.has(content.picture), element = find(`p${content.picture}`);
    element.classList.toggle("apart", off);
    element.querySelector(".apartness")?.setAttribute("aria-pressed", off);
    const chip = element.querySelector(".off");
    if (off && !chip) element.querySelector(".facts").prepend(make("span", {className: "chip done off"}, "not a duplicate"));
    if (!off) chip?.remove();
  }
  find("undo").disabled = !stay;
  const freed = stay ? group.members.reduce((sum, member, k) => sum + (stay[k] ? 0 : member.size), 0) : group.waste;
  find("verdict").textContent = `${state(group)}, ${size(freed)} ${stay ? "to go" : "could go"}`;
}
function drawTotal() {
  let files = 0, bytes = 0;
  for (const [number, stay] of choices) {
    groups[number].members.forEach((member, k) => { if (!stay[k]) { files++; bytes += member.size; } });
  }
  find("total").textContent = `${choices.size.toLocaleString("en")} of ${counted(groups.length, "group")} decided, ${counted(files, "file")} to go (${size(bytes)})`;
}

// Moving

function go(place) {
  if (!shown.length) return;
  const before = at;
  at = Math.min(Math.max(place, 0), shown.length - 1);
  const group = current(), suggested = group.members.findIndex(member => !member.keep);
  here = suggested < 0 ? 0 : suggested;
  const top = at * ROW;
  if (top < list.scrollTop) list.scrollTop = top;
  else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  drawRows();
  drawState(before);
  drawState(at);
  list.setAttribute("aria-activedescendant", `g${group.number}`);
  drawDetail();
  say(`Group ${at + 1} of ${shown.length}: ${group.kind}, ${counted(group.members.length, "file")}, ${state(group)}`);
}
const move = step => {
  if (!shown.length) return;
  if (at + step < 0 || at + step >= shown.length) say(step > 0 ? "This is the last group" : "This is the first group");
  else go(at + step);
  if (compare.open) startCompare();
};
function open() {
  if (!narrow.matches) return;
  document.body.classList.add("open");
  find("title").focus();
}
function pick(place) {
  here = place;
  drawChoice();
}
function turn(step) {
  const group = current();
  here = (here + step + group.members.length) % group.members.length;
  drawChoice();
  find(`m${here}`).scrollIntoView({block: "nearest"});
  say(`${parts(group.paths[here])[1]}, ${relation(group, group.contents.find(content => content.members.includes(here)))}`);
  if (compare.open) startCompare();
}

// Choosing

function choose(number, stay) {
  if (stay && !stay.some((one, k) => one && !isApart(groups[number], k))) {
    say("One file of each group has to stay");
    find("verdict").textContent = "One file of each group has to stay.";
    return false;
  }
  if (stay) choices.set(number, stay);
  else choices.delete(number);
  keepSafe([[number, stay]]);
  drawState(shown.indexOf(number));
  drawChoice();
  drawTotal();
  return true;
}
const isApart = (group, k) => group.contents.some(content => apart.has(content.picture) && content.members.includes(k)) && !allApart(group);
const suggestion = group => group.members.map((member, k) => member.keep || isApart(group, k));
function set(wanted) {
  const group = current(), before = choices.get(group.number) ?? group.members.map(() => true);
  if (choose(group.number, before.map((one, k) => wanted(k, one)))) say(`${parts(group.paths[here])[1]}: ${state(group)}`);
}
const keep = () => set((k, before) => k === here || before);
const drop = () => set((k, before) => k !== here && before);
const only = () => set(k => k === here || isApart(current(), k));
function undo() {
  choose(current().number, null);
  say("Undecided");
}
function suggest() {
  const group = current();
  if (choose(group.number, suggestion(group))) move(1);
}
function suggestAll() {
  const open = shown.filter(number => !choices.has(number) && !allApart(groups[number]));
  const made = open.map(number => [number, suggestion(groups[number])]);
  for (const [number, stay] of made) choices.set(number, stay);
  keepSafe(made);
  for (const place of drawn.keys()) drawState(place);
  drawChoice();
  drawTotal();
  say(`Suggestion used for ${counted(made.length, "group")}`);
}
async function setApart() {
  const group = current(), content = group.contents.find(one => one.members.includes(here));
  if (!data.served) { say("Marks need tbhdup review --serve"); return; }
  if (group.contents.length < 2) { say("These files have the same bytes"); return; }
  try {
    const off = new Set(await post("/apart", {picture: content.picture, revoke: apart.has(content.picture)}));
    for (const one of group.contents) { if (off.has(one.picture)) apart.add(one.picture); else apart.delete(one.picture); }
    const stay = choices.get(group.number);
    if (stay && !allApart(group)) {
      const rest = stay.map((one, k) => one || isApart(group, k));
      choose(group.number, rest.some((one, k) => one && !isApart(group, k)) ? rest : null);
    }
    saying("Saved");
    say(apart.has(content.picture) ? "Marked as not a duplicate" : "Mark taken back");
  } catch (error) {
    saying(`Not saved: ${error.message}`, true);
  }
  drawState(shown.indexOf(group.number));
  if (current() === group) drawChoice();
}

// Keeping choices: with the server as they are made, else in the browser until they are downloaded

const pending = new Map();
let sending = false;
function saying(text, failed = false) {
  find("saved").textContent = text;
  find("saved").classList.toggle("failed", failed);
}
async function post(path, body) {
  const answer = await fetch(`${path}?token=${token}`, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body)});
  if (!answer.ok) throw new Error((await answer.text()).trim());
  return answer.json();
}
function keepSafe(made) {
  if (data.served) {
    for (const [number, stay] of made) pending.set(number, stay);
    send();
    return;
  }
  try {
    localStorage.setItem(own(), JSON.stringify([...choices]));
    saying("Kept in this browser: download them to use them");
  } catch {
    saying("Kept until this page is closed: download them");
  }
}
async function send() {
  if (sending || !pending.size) return;
  sending = true;
  const made = [...pending];
  pending.clear();
  saying("Saving");
  try {
    await post("/choices", made);
    if (!pending.size) saying("Saved");
  } catch (error) {
    for (const [number, stay] of made) if (!pending.has(number)) pending.set(number, stay);
    saying(`Not saved: ${error.message}`, true);
    setTimeout(send, 3000);
    sending = false;
    return;
  }
  sending = false;
  send();
}
addEventListener("beforeunload", event => { if (sending || pending.size) event.preventDefault(); });
function own() {
  const {seconds, files, bytes} = data.summary;
  return `tbhdup ${JSON.stringify([data.header, seconds, files, bytes, groups.length])}`;
}
function restore() {
  try {
    for (const [number, stay] of JSON.parse(localStorage.getItem(own()) ?? "[]")) {
      if (groups[number]?.members.length === stay.length) choices.set(number, stay);
    }
  } catch { /* no storage here: the page says so when a choice is made */ }
}
function lines() {
  const decided = [...choices].sort((a, b) => a[0] - b[0]).map(([number, stay]) => ({...data.groups[number], members: data.groups[number].members.map((member, k) => ({...member, keep: stay[k]}))}));
  const members = decided.flatMap(group => group.members);
  const summary = {...data.summary, groups: decided.length, duplicates: members.length - decided.length,
    duplicate_bytes: members.reduce((sum, member) => sum + (member.keep ? 0 : member.size), 0)};
  return [data.header, ...decided, summary].map(line => JSON.stringify(line) + "\n");
}
function download() {
  const link = make("a", {href: URL.createObjectURL(new Blob(lines(), {type: "application/jsonl"})), download: "choices.jsonl"});
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// Comparing: side by side or by turns, at one scale, with the part of each picture that the other one shows

let flicker = false, timer = 0, second = false;
function startCompare() {
  const group = current();
  if (group.contents.length < 2) { say("These files have the same bytes"); if (compare.open) compare.close(); return; }
  let content = group.contents.find(one => one.members.includes(here));
  if (content === group.core) content = group.contents.find(one => one !== group.core);
  const pair = [group.core, content].map(one => ({content: one, member: group.members[one.members[0]]}));
  const names = pair.map(one => parts(group.paths[one.content.members[0]])[1]);
  const stay = choices.get(group.number);
  const stage = make("div", {className: flicker ? "stage one" : "stage"});
  compare.replaceChildren(
    make("div", {className: "bar"},
      button("Close", () => compare.close(), "Esc"),
      button("Flicker", () => { flicker = !flicker; startCompare(); }, "F", {ariaPressed: String(flicker)}),
      ...(flicker ? [button("Swap", swap, "Space")] : []),
      make("span", {className: "choose"},
        button("Keep", () => { keep(); startCompare(); }, "K", {className: "yes", ariaPressed: String(Boolean(stay && stay[here]))}),
        button("Drop", () => { drop(); startCompare(); }, "D", {className: "no", ariaPressed: String(Boolean(stay && !stay[here]))})),
      button("Next", () => move(1), "J"),
      make("span", {className: "chip"}, state(group)),
      make("bdi", {className: "path"}, `${parts(group.paths[here])[1]}: ${relation(group, content)}`)),
    stage);
  if (!compare.open) compare.showModal();
  second = false;
  layOut(stage, pair, names, content.map);
  clearInterval(timer);
  if (flicker && !matchMedia("(prefers-reduced-motion: reduce)").matches) timer = setInterval(swap, 800);
}
compare.addEventListener("close", () => clearInterval(timer));
function swap() {
  second = !second;
  compare.querySelectorAll(".frame").forEach((frame, k) => { frame.style.visibility = (k === 1) === second ? "visible" : "hidden"; });
  compare.querySelectorAll("figcaption").forEach((caption, k) => { caption.hidden = (k === 1) !== second; });
}
// map: [a b c; d e f] takes the unit square of the first picture to that of the second
function layOut(stage, [first, other], names, map) {
  const panes = (flicker ? [0] : [0, 1]).map(() => stage.appendChild(make("figure", {className: "pane"})));
  panes.forEach(pane => { pane.style.margin = 0; });
  const room = panes[0].getBoundingClientRect();
  const [a, b, c, d, e, f] = map ?? [1, 0, 0, 0, 1, 0];
  const scale = map ? Math.sqrt(Math.abs(a * e - b * d) * other.member.width * other.member.height / (first.member.width * first.member.height)) : null;
  const fit = (width, height) => Math.min((room.width - 16) / width, (room.height - 16) / height);
  const {width, height} = first.member;
  let zoom = fit(width, height), otherZoom = fit(other.member.width, other.member.height);
  if (map && !flicker) { zoom = Math.min(zoom, otherZoom * scale); otherZoom = zoom / scale; }
  const back = map && inverse(map);
  const boxes = [[width * zoom, height * zoom], flicker ? [width * zoom, height * zoom] : [other.member.width * otherZoom, other.member.height * otherZoom]];
  [first, other].forEach((one, k) => {
    const frame = make("div", {className: "frame"}), pane = panes[flicker ? 0 : k];
    const [w, h] = boxes[k];
    frame.style.width = `${w}px`;
    frame.style.height = `${h}px`;
    frame.style.left = `${(room.width - w) / 2}px`;
    frame.style.top = `${(room.height - h) / 2}px`;
    const picture = image(one.content, true, {alt: `Picture of ${names[k]}`});
    frame.append(picture);
    if (flicker && k === 1 && back) {
      picture.style.transform = `matrix(${[back[0], back[3] * h / w, back[1] * w / h, back[4], back[2] * w, back[5] * h].join(",")})`;
    } else if (flicker && k === 1) picture.style.objectFit = "contain";
    if (map && !flicker) frame.append(outline(k === 0 ? back : map));
    pane.append(frame, make("figcaption", {hidden: flicker && k === 1}, `${k === 0 ? "centre: " : ""}${names[k]}, ${one.member.width} × ${one.member.height}, ${size(one.member.size)}`));
    if (flicker && k === 1) frame.style.visibility = "hidden";
  });
}
function inverse([a, b, c, d, e, f]) {
  const det = a * e - b * d;
  return [e / det, -b / det, (b * f - c * e) / det, -d / det, a / det, (c * d - a * f) / det];
}
function outline([a, b, c, d, e, f]) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 1 1");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  for (const style of ["under", "over"]) {
    const shape = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "polygon"));
    shape.setAttribute("class", style);
    shape.setAttribute("points", [[0, 0], [1, 0], [1, 1], [0, 1]].map(([x, y]) => `${a * x + b * y + c},${d * x + e * y + f}`).join(" "));
  }
  return svg;
}

// The filter

function applyFilter() {
  const wanted = Object.fromEntries(new FormData(filter)), text = wanted.text.toLowerCase();
  const before = current()?.number;
  shown = groups.filter(group =>
    (!wanted.state || (wanted.state === "done") === (choices.has(group.number) || allApart(group)))
    && (!wanted.kind || group.kind === wanted.kind)
    && group.waste >= Number(wanted.waste)
    && (!text || group.members.some((member, k) => group.paths[k].toLowerCase().includes(text) || member.relation.includes(text)))
  ).map(group => group.number);
  if (wanted.order === "waste") shown.sort((a, b) => groups[b].waste - groups[a].waste || a - b);
  if (wanted.order === "files") shown.sort((a, b) => groups[b].members.length - groups[a].members.length || a - b);
  find("count").value = `${shown.length.toLocaleString("en")} of ${counted(groups.length, "group")} shown`;
  find("all").disabled = !shown.length;
  rows.replaceChildren();
  drawn.clear();
  rows.style.height = `${shown.length * ROW}px`;
  at = Math.max(0, shown.indexOf(before));
  if (shown.length) go(at);
  else { list.removeAttribute("aria-activedescendant"); drawDetail(); }
}
function suggestFolders() {
  const counts = new Map();
  for (const group of groups) for (const path of group.paths) {
    const folder = parts(path)[0];
    counts.set(folder, (counts.get(folder) ?? 0) + 1);
  }
  const most = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 100);
  find("folders").append(...most.map(([folder]) => make("option", {value: folder})));
}

// Keys

const KEYS = {
  arrowdown: () => move(1), j: () => move(1), arrowup: () => move(-1), p: () => move(-1),
  arrowright: () => turn(1), arrowleft: () => turn(-1), home: () => go(0), end: () => go(shown.length - 1),
  pagedown: () => move(Math.min(page(), shown.length - 1 - at) || 1), pageup: () => move(-Math.min(page(), at) || -1),
  k: keep, d: drop, o: only, s: suggest, u: undo, n: setApart, c: () => startCompare(), enter: open,
};
const IN_COMPARE = new Set(["arrowdown", "j", "arrowup", "p", "arrowright", "arrowleft", "k", "d", "o", "s", "u", "n"]);
const page = () => Math.max(1, Math.floor(list.clientHeight / ROW) - 1);
addEventListener("keydown", event => {
  const key = event.key.toLowerCase(), target = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || target.matches("input, select, textarea") || help.open) return;
  if (key.length === 1 && !find("letters").checked) return;
  if ((key === "enter" || key === " ") && target.matches("button, a")) return;
  if (key === "?") { event.preventDefault(); help.showModal(); return; }
  if (compare.open) {
    if (key === "f") { flicker = !flicker; startCompare(); }
    else if (key === " " && flicker) { event.preventDefault(); swap(); }
    else if (IN_COMPARE.has(key)) { event.preventDefault(); KEYS[key](); if (compare.open) startCompare(); }
    return;
  }
  if (!shown.length || !Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
});

list.addEventListener("scroll", drawRows, {passive: true});
addEventListener("resize", () => { drawRows(); if (compare.open) startCompare(); });
filter.addEventListener("submit", event => event.preventDefault());
filter.addEventListener("input", applyFilter);
find("all").addEventListener("click", suggestAll);
find("help-button").addEventListener("click", () => help.showModal());
find("download").hidden = data.served;
find("download").addEventListener("click", download);
if (!data.served) restore();
suggestFolders();
applyFilter();
drawTotal();
list.focus({preventScroll: true});
// Thumbnails of a page of its own stand behind this script, and may still be loading.
function redraw() {
  for (const [place, row] of drawn) { row.remove(); drawn.delete(place); }
  drawRows();
  drawDetail();
}
if (!data.served && document.readyState === "loading") {
  setTimeout(redraw, 150);
  addEventListener("DOMContentLoaded", redraw);
}
