// The page of a server: try a text, predict a table, copy a call. Everything it asks for comes from this server.

import { csv, rows } from "./table.js";
import { words } from "./words.js";

const byId = (id) => document.getElementById(id);
const state = { models: [], key: "", table: null, stopped: false, refused: null, language: navigator.language.startsWith("zh") ? "zh" : "en" };
const AT_ONCE = 64;

const word = (name, ...values) => values.reduce((said, value) => said.replace("{}", () => String(value)), words[state.language][name]);
const model = () => state.models.find((one) => one.id === byId("model").value) ?? state.models[0];
const percent = (share) => `${(100 * share).toFixed(1)} %`;

function element(tag, text, attributes = {}) {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

async function ask(path, body) {
  const headers = { "content-type": "application/json", ...(state.key && { authorization: `Bearer ${state.key}` }) };
  const answered = await fetch(path, body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) });
  const content = await answered.json().catch(() => ({}));
  if (answered.ok) return content;
  const problem = new Error(content.error?.message ?? `${answered.status} ${answered.statusText}`);
  problem.status = answered.status;
  problem.wait = Number(answered.headers.get("retry-after"));
  throw problem;
}

function speak() {
  document.documentElement.lang = state.language === "zh" ? "zh-Hans" : "en";
  for (const one of document.querySelectorAll("[data-word]")) one.textContent = word(one.dataset.word);
  const other = byId("language");
  other.textContent = state.language === "zh" ? "English" : "中文";
  other.lang = state.language === "zh" ? "en" : "zh-Hans";
}

function showModel() {
  const one = model();
  if (!one) return;
  document.title = `${one.id} · Superfine`;
  byId("title").textContent = one.id;
  const classes = one.labels.length ? word("classes", one.labels.slice(0, 12).join(", ") + (one.labels.length > 12 ? ", …" : "")) : "";
  byId("facts").textContent = [words[state.language].titles[one.title] ?? one.title, classes, word("version", one.version), one.precision].filter(Boolean).join(" · ");
  byId("links").replaceChildren(
    ...one.pages.flatMap((page) => [element("a", word(page), { href: `/v1/models/${encodeURIComponent(one.id)}/${page}`, target: "_blank", rel: "noopener" }), " "]),
  );
  for (const link of byId("links").querySelectorAll("a")) link.addEventListener("click", openPage);
  const kept = [...byId("fields").querySelectorAll("textarea")].map((area) => area.value);
  byId("fields").replaceChildren(
    ...one.reads.flatMap((name, i) => {
      const area = element("textarea", undefined, { id: `field-${name}`, required: "", maxlength: 1000000, spellcheck: "false" });
      area.value = kept[i] ?? "";
      return [element("label", word(name), { for: `field-${name}` }), area];
    }),
  );
  showCalls();
  showColumns();
}

function plural(name) {
  return { text: "texts", text_pair: "text_pairs", question: "questions", context: "contexts" }[name];
}

function bodyOf(columns, one = model()) {
  const body = state.models.length > 1 ? { model: one.id } : {};
  one.reads.forEach((name, i) => { body[plural(name)] = columns[i]; });
  return body;
}

function bars(probabilities) {
  const list = element("ul", undefined, { class: "bars" });
  const ranked = Object.entries(probabilities).sort((a, b) => b[1] - a[1]);
  for (const [name, share] of ranked.slice(0, 30)) {
    const item = element("li");
    const bar = element("span", undefined, { class: "bar", "aria-hidden": "true" });
    const drawn = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    drawn.setAttribute("viewBox", "0 0 100 10");
    drawn.setAttribute("preserveAspectRatio", "none");
    const box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    box.setAttribute("width", String(100 * share));
    box.setAttribute("height", "10");
    drawn.append(box);
    bar.append(drawn);
    item.append(element("span", name, { class: "name" }), bar, element("span", percent(share), { class: "share" }));
    list.append(item);
  }
  return list;
}

function marked(text, spans) {
  const shown = element("p", undefined, { class: "marked" });
  const characters = Array.from(text); // places count characters, not halves of surrogate pairs
  let at = 0;
  for (const span of spans) {
    shown.append(characters.slice(at, span.start).join(""));
    const mark = element("mark", characters.slice(span.start, span.end).join(""));
    if (span.label) mark.append(" ", element("small", span.label));
    shown.append(mark);
    at = span.end;
  }
  shown.append(characters.slice(at).join(""));
  return shown;
}

function saidOf(answer) {
  const said = answer.prediction;
  if (said === null || said === undefined) return word("nothing");
  if (Array.isArray(said)) return said.length ? said.map((one) => (typeof one === "object" ? one.text : one)).join(", ") : word("none");
  if (typeof said === "number") return Number(said.toPrecision(6)).toString();
  return said === "" ? word("no_answer") : said;
}

function showAnswer(answer, columns) {
  const shown = [element("p", saidOf(answer), { class: "said" })];
  if (answer.decision === "") shown.push(element("p", word("unsure"), { class: "soft" }));
  else if (answer.decision !== undefined) shown.push(element("p", word("decision", answer.decision), { class: "soft" }));
  if (answer.set !== undefined) shown.push(element("p", word("set", answer.set.split("|").join(", ") || word("none")), { class: "soft" }));
  if (typeof answer.confidence === "number") shown.push(element("p", word("confidence", percent(answer.confidence)), { class: "soft" }));
  if (typeof answer.low === "number" && typeof answer.high === "number") {
    shown.push(element("p", word("between", answer.low.toPrecision(4), answer.high.toPrecision(4)), { class: "soft" }));
  }
  if (answer.probabilities) shown.push(bars(answer.probabilities));
  if (Array.isArray(answer.prediction) && answer.prediction.some((one) => typeof one === "object")) shown.push(marked(columns[0][0], answer.prediction));
  if (typeof answer.start === "number") shown.push(marked(columns[1][0], [answer]));
  byId("answer").replaceChildren(...shown);
}

async function tryText(event) {
  event.preventDefault();
  if (!model()) return;
  const columns = model().reads.map((name) => [byId(`field-${name}`).value]);
  byId("problem").textContent = "";
  try {
    showAnswer((await ask("/v1/predict", bodyOf(columns))).predictions[0], columns);
  } catch (problem) {
    byId("answer").replaceChildren();
    byId("problem").textContent = problem.message;
  }
  showCalls();
}

function showCalls() {
  const fields = model().reads.map((name) => byId(`field-${name}`)?.value || word("example_" + name));
  const body = JSON.stringify(bodyOf(fields.map((text) => [text])));
  const url = `${location.origin}/v1/predict`;
  const calls = {
    curl: `curl ${url} -H 'Content-Type: application/json'${state.key ? " -H 'Authorization: Bearer KEY'" : ""} -d '${body.replaceAll("'", "'\\''")}'`,
    Python: `import httpx\n\nanswer = httpx.post(${JSON.stringify(url)}, json=${body}${state.key ? ', headers={"Authorization": "Bearer KEY"}' : ""})\nprint(answer.raise_for_status().json()["predictions"])`,
    JavaScript: `const answer = await fetch(${JSON.stringify(url)}, {\n  method: "POST",\n  headers: {"Content-Type": "application/json"${state.key ? ', "Authorization": "Bearer KEY"' : ""}},\n  body: JSON.stringify(${body}),\n});\nconsole.log((await answer.json()).predictions);`,
  };
  byId("calls").replaceChildren(
    ...Object.entries(calls).flatMap(([name, code]) => {
      const copy = element("button", word("copy"), { type: "button", class: "copy", "aria-label": word("copy_call", name) });
      const block = element("pre", undefined, { tabindex: "0", role: "region", "aria-label": name });
      block.append(element("code", code));
      copy.addEventListener("click", async () => {
        try {
          await navigator.clipboard.writeText(code); // browsers have it on secure addresses alone
          copy.textContent = word("copied");
        } catch {
          getSelection().selectAllChildren(block);
          copy.textContent = word("selected");
        }
      });
      return [element("h3", name), block, copy];
    }),
  );
}

function showColumns() {
  const holder = byId("columns");
  const isMissing = state.table === null || !model();
  byId("table-buttons").hidden = isMissing;
  if (isMissing) return holder.replaceChildren();
  const chosen = Object.fromEntries([...holder.querySelectorAll("select")].map((select) => [select.id, select.value]));
  holder.replaceChildren(
    element("p", word("rows", state.table.rows.length)),
    ...model().reads.flatMap((name, i) => {
      const select = element("select", undefined, { id: `column-${name}` });
      state.table.names.forEach((column, k) => select.append(element("option", column, { value: k })));
      const alike = state.table.names.findIndex((column) => column.toLowerCase() === name);
      const usual = String(alike >= 0 ? alike : Math.min(i, state.table.names.length - 1));
      select.value = state.table.isNew ? usual : (chosen[select.id] ?? usual);
      return [element("label", word("column_of", word(name)), { for: `column-${name}` }), select];
    }),
  );
  state.table.isNew = false;
}

async function readTable() {
  const file = byId("file").files[0];
  byId("problem").textContent = "";
  byId("download").hidden = true;
  if (!file) return;
  state.table = null;
  try {
    const read = rows(new TextDecoder("utf-8", { fatal: true }).decode(await file.arrayBuffer()));
    const tooLong = read.findIndex((row) => row.length > read[0].length);
    if (read.length < 2) byId("problem").textContent = word("no_rows", file.name);
    else if (tooLong > 0) byId("problem").textContent = word("too_long", tooLong + 1, read[tooLong].length, read[0].length);
    else state.table = { name: file.name, names: read[0], rows: read.slice(1).map((row) => [...row, ...Array(read[0].length - row.length).fill("")]), isNew: true };
  } catch {
    byId("problem").textContent = word("no_utf8", file.name);
  }
  showColumns();
}

function cellOf(value) {
  return value === null || value === undefined ? "" : typeof value === "object" ? JSON.stringify(value) : String(value);
}

async function predictTable() {
  const { table } = state;
  const one = model();
  let atOnce = AT_ONCE;
  const places = one.reads.map((name) => Number(byId(`column-${name}`).value));
  state.stopped = false;
  byId("start").disabled = true;
  byId("stop").hidden = byId("progress-line").hidden = false;
  byId("download").hidden = true;
  byId("problem").textContent = "";
  const answers = [];
  const began = performance.now();
  try {
    while (answers.length < table.rows.length && !state.stopped) {
      const some = table.rows.slice(answers.length, answers.length + atOnce);
      try {
        answers.push(...(await ask("/v1/predict", bodyOf(places.map((k) => some.map((row) => row[k])), one))).predictions);
      } catch (problem) {
        if ([413, 422].includes(problem.status) && atOnce > 1) { // more than this server takes together
          atOnce = Math.ceil(atOnce / 4);
          continue;
        }
        if (![429, 503].includes(problem.status)) throw problem;
        await new Promise((done) => setTimeout(done, 1000 * (problem.wait || 1)));
        continue;
      }
      const share = answers.length / table.rows.length;
      const left = Math.ceil(((performance.now() - began) / 1000) * (1 / share - 1));
      const isDone = answers.length === table.rows.length;
      byId("progress").value = share;
      byId("progress-words").textContent = isDone ? word("done", answers.length) : word("progress", answers.length, table.rows.length, left);
    }
  } catch (problem) {
    byId("problem").textContent = problem.message;
  }
  byId("start").disabled = false;
  byId("stop").hidden = true;
  if (!answers.length) return;
  const added = [...new Set(answers.flatMap((answer) => Object.keys(answer)))];
  const out = answers.map((answer, i) => [...table.rows[i], ...added.map((name) => cellOf(answer[name]))]);
  const link = byId("download");
  URL.revokeObjectURL(link.href);
  link.href = URL.createObjectURL(new Blob(["\ufeff", csv([[...table.names, ...added], ...out])], { type: "text/csv" }));
  link.download = table.name.replace(/\.[^.]*$/, "") + ".predictions.csv";
  link.hidden = false;
  link.focus();
}

function showRefusal() {
  const problem = state.refused;
  if (problem.status === 401) byId("key-form").hidden = false;
  byId("title").textContent = problem.status === 401 ? word("needs_key") : problem.message;
  byId("problem").textContent = problem.status === 401 && state.key ? word("wrong_key") : "";
}

async function openPage(event) {
  if (!state.key) return; // the browser opens the link itself
  event.preventDefault();
  const { href } = event.currentTarget;
  const answered = await fetch(href, { headers: { authorization: `Bearer ${state.key}` } });
  const link = element("a", undefined, { href: URL.createObjectURL(await answered.blob()), download: href.endsWith("report") ? "report.html" : "README.md" });
  link.click();
}

async function load() {
  try {
    state.models = (await ask("/v1/models")).data;
  } catch (problem) {
    state.refused = problem;
    showRefusal();
    return;
  }
  state.refused = null;
  byId("key-form").hidden = true;
  byId("problem").textContent = "";
  byId("model-choice").hidden = state.models.length < 2;
  byId("model").replaceChildren(...state.models.map((one) => element("option", one.id, { value: one.id })));
  showModel();
}

byId("language").addEventListener("click", () => {
  state.language = state.language === "zh" ? "en" : "zh";
  speak();
  if (state.refused) showRefusal();
  showModel();
});
byId("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  state.key = byId("key").value.trim();
  load();
});
byId("model").addEventListener("change", () => {
  byId("answer").replaceChildren();
  showModel();
});
byId("try").addEventListener("submit", tryText);
byId("try").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) byId("try").requestSubmit();
});
byId("file").addEventListener("change", readTable);
byId("start").addEventListener("click", predictTable);
byId("stop").addEventListener("click", () => { state.stopped = true; });
speak();
load();
