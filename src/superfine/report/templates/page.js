// Everything here is a convenience: without it the page shows the same, in the order of the file.
(() => {
  const say = document.body.dataset;
  const make = (tag, properties, ...inside) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...inside);
    return element;
  };
  const button = (text, act) => make("button", { type: "button", textContent: text, onclick: act });
  const save = (name, type, content) => {
    const address = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
    make("a", { href: address, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(address), 5000);
  };
  document.querySelectorAll(".only-script").forEach((part) => (part.hidden = false));
  document.querySelector("header").append(make("p", { className: "tools" }, button(say.print, () => print())));

  // Tables: sorted by a press on the head of a column, and saved as CSV.
  const value = (row, at) => row.cells[at].textContent.trim();
  const number = (text) => (/^[−-]?[\d.]/.test(text) ? parseFloat(text.replace("−", "-")) : NaN);
  document.querySelectorAll("table.sortable").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      if ("unsorted" in head.dataset) return;
      const press = button(head.textContent, () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        [...table.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const rows = [...table.tBodies[0].rows].map((row) => [row, value(row, at)]);
        rows.sort(([, a], [, b]) => {
          if (a === "—" || b === "—") return (a === "—") - (b === "—");
          const x = number(a), y = number(b);
          return (down ? -1 : 1) * (isNaN(x) || isNaN(y) ? a.localeCompare(b) : x - y);
        });
        table.tBodies[0].append(...rows.map(([row]) => row));
      });
      head.replaceChildren(press);
    });
  });
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  document.querySelectorAll("table.numbers, details.numbers table").forEach((table, i) => {
    const bar = make("p", { className: "tools" }, button("CSV", () => {
      const rows = [...table.rows].map((row) => [...row.cells].map((cell) => quoted((cell.title || cell.textContent).trim())).join(","));
      save(`table-${i + 1}.csv`, "text/csv", "\ufeff" + rows.join("\n") + "\n");
    }));
    (table.closest(".wide") || table).after(bar);
  });

  // Drawings: saved as they look, with their colours written out.
  const COPIED = ["fill", "fill-opacity", "stroke", "stroke-width", "stroke-dasharray", "stroke-linejoin", "font-size", "font-family"];
  const standalone = (svg) => {
    const copy = svg.cloneNode(true);
    const [mine, theirs] = [svg, copy].map((root) => [root, ...root.querySelectorAll("*")]);
    mine.forEach((element, i) => {
      const style = getComputedStyle(element);
      COPIED.forEach((name) => theirs[i].setAttribute(name, style.getPropertyValue(name)));
    });
    copy.setAttribute("xmlns", svg.namespaceURI);
    copy.setAttribute("width", 960);
    copy.setAttribute("height", (960 * svg.viewBox.baseVal.height) / svg.viewBox.baseVal.width);
    copy.style.background = getComputedStyle(document.body).backgroundColor;
    return new XMLSerializer().serializeToString(copy);
  };
  document.querySelectorAll("figure svg").forEach((svg, i) => {
    const png = () => {
      const picture = make("img", {
        src: URL.createObjectURL(new Blob([standalone(svg)], { type: "image/svg+xml" })),
        onload: () => {
          const canvas = make("canvas", { width: picture.width, height: picture.height });
          canvas.getContext("2d").drawImage(picture, 0, 0);
          canvas.toBlob((blob) => save(`figure-${i + 1}.png`, "image/png", blob));
        },
      });
    };
    svg.after(make("p", { className: "tools" }, button("SVG", () => save(`figure-${i + 1}.svg`, "image/svg+xml", standalone(svg))), button("PNG", png)));
  });

  // Errors: of one pair of classes, and all of them from the table of predictions.
  const choice = document.getElementById("pair"), more = document.getElementById("more"), place = document.getElementById("shown");
  const choose = (pair) => {
    document.querySelectorAll("article.error").forEach((one) => (one.hidden = !!pair && one.dataset.pair !== pair));
    if (more) more.open = !!pair || more.open;
  };
  if (choice) {
    choice.onchange = () => choose(choice.value);
    document.querySelectorAll("a[data-pair]").forEach((link) => (link.onclick = (event) => {
      if (![...choice.options].some((option) => option.value === link.dataset.pair)) return;
      event.preventDefault();
      choice.value = link.dataset.pair;
      choose(choice.value);
      document.getElementById("errors").scrollIntoView();
      choice.focus({ preventScroll: true });
    }));
  }
  const records = (text) => {
    const rows = [[""]];
    let inside = false;
    for (let i = text.charCodeAt(0) === 0xfeff ? 1 : 0; i < text.length; i++) {
      const row = rows[rows.length - 1], c = text[i];
      if (c === '"') {
        if (inside && text[i + 1] === '"') row[row.length - 1] += text[i++];
        else inside = !inside;
      } else if (!inside && c === ",") row.push("");
      else if (!inside && c === "\n") rows.push([""]);
      else if (c !== "\r" || inside) row[row.length - 1] += c;
    }
    return rows.filter((row) => row.length > 1 || row[0]);
  };
  const file = document.getElementById("every-error");
  if (file) file.onchange = async () => {
    const rows = records(await file.files[0].text()), names = rows.shift();
    const about = JSON.parse(say.columns);
    const at = (name) => names.indexOf(name);
    const label = at(about.label), said = at(about.prediction), sure = at(about.confidence), texts = about.text.map(at);
    if (label < 0 || said < 0 || texts.includes(-1)) {
      place.replaceChildren(make("p", { role: "alert", textContent: say.otherFile }));
      return;
    }
    const ids = Object.fromEntries(about.labels.map((name, i) => [name, i]));
    const wrong = rows.map((row) => ({ row, true: about.spelled[row[label]] ?? row[label].trim() }))
      .filter((one) => one.true && one.true !== one.row[said]);
    wrong.sort((a, b) => b.row[sure] - a.row[sure]);
    const counts = new Map();
    place.replaceChildren(...wrong.map((one) => {
      const pair = `${ids[one.true]}-${ids[one.row[said]]}`;
      counts.set(pair, [one.true, one.row[said], (counts.get(pair)?.[2] ?? 0) + 1]);
      const article = make("article", { className: "error" },
        make("p", { className: "text", textContent: texts.map((column) => one.row[column]).join("\n") }),
        make("p", { className: "soft", textContent: `${say.label} ${one.true} · ${say.prediction} ${one.row[said]}` +
          (sure < 0 ? "" : ` (${(100 * one.row[sure]).toFixed(1)} %)`) }));
      article.dataset.pair = pair;
      return article;
    }));
    more?.remove();
    if (choice) {
      const sorted = [...counts].sort(([, a], [, b]) => b[2] - a[2]);
      choice.replaceChildren(choice.options[0], ...sorted.map(([pair, [true_, said_, n]]) => make("option", { value: pair, textContent: `${true_} → ${said_} (${n})` })));
      choice.value = "";
    }
  };
})();
