// Tables of classes: sorted by the column whose head is clicked; a class leads to its videos.

function sortable(table) {
  for (const button of table.querySelectorAll("button.sort")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const falls = head.getAttribute("aria-sort") !== "descending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", falls ? "descending" : "ascending");
      const body = table.tBodies[0];
      const value = (row) => sortValue(row.cells[head.cellIndex].textContent);
      const rows = [...body.rows].sort((first, second) => compared(value(first), value(second)));
      body.append(...(falls ? rows.reverse() : rows));
    });
  }
}

/** A cell's number, or its text; what is unknown comes before all. */
function sortValue(text) {
  const number = Number.parseFloat(text);
  return text === "-" ? -Infinity : Number.isNaN(number) ? text : number;
}

function compared(first, second) {
  return typeof first === "string" ? String(first).localeCompare(String(second)) : first - second;
}
