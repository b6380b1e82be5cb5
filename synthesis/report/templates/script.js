// Tables sort by a click on a head, or Enter on it. Without this script they are just not sorted.
for (const table of document.querySelectorAll("table.sorted")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const falling = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", falling ? "descending" : "ascending");
      const body = table.tBodies[0];
      const rows = [...body.rows].sort((one, other) => compare(one.cells[place], other.cells[place], falling));
      body.append(...rows);
    });
  });
}

// Numbers by their value, texts by the alphabet; what is empty stands last either way.
function compare(one, other, falling) {
  const [a, b] = [one, other].map((cell) => cell.dataset.value ?? cell.textContent.trim());
  if (a === "" || b === "") return (a === "") - (b === "");
  const order = "value" in one.dataset ? a - b : a.localeCompare(b, "en", { numeric: true });
  return falling ? -order : order;
}

// What is folded is printed too.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("details:not([open])")];
  folded.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));
