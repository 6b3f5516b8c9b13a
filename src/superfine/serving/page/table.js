// Tables as text: values between commas, semicolons or tabs, in quotation marks where they hold any of these (RFC 4180).

export function rows(text) {
  const content = text.replace(/^\ufeff/, "");
  const head = content.slice(0, (content.indexOf("\n") + 1 || content.length + 1) - 1);
  const delimiter = ["\t", ";", ","].reduce((best, one) => (head.split(one).length > head.split(best).length ? one : best), ",");
  const found = [];
  let row = [];
  let cell = "";
  let isQuoted = false;
  let wasQuoted = false;
  for (let i = 0; i < content.length; i += 1) {
    const character = content[i];
    if (isQuoted) {
      if (character !== '"') cell += character;
      else if (content[i + 1] === '"') { cell += '"'; i += 1; }
      else isQuoted = false;
    } else if (character === '"' && cell === "") { isQuoted = true; wasQuoted = true; }
    else if (character === delimiter) { row.push(cell); cell = ""; }
    else if (character === "\n" || character === "\r") {
      if (character === "\r" && content[i + 1] === "\n") i += 1;
      row.push(cell);
      if (row.length > 1 || cell !== "" || wasQuoted) found.push(row); // a line with nothing at all is no row
      row = [];
      cell = "";
      wasQuoted = false;
    } else cell += character;
  }
  if (cell !== "" || row.length) found.push([...row, cell]);
  return found;
}

export function csv(table) {
  const written = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return table.map((row) => row.map((cell) => written(String(cell))).join(",")).join("\r\n") + "\r\n";
}
