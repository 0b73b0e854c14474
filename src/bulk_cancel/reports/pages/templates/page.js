"use strict";
(() => {
  const form = document.getElementById("find");
  if (!form) return;
  const words = document.getElementById("words");
  const kind = document.getElementById("kind");
  const shown = document.getElementById("shown");
  const rows = Array.from(document.querySelectorAll("#rows tbody tr"), (element) => ({
    element,
    text: element.textContent.toLowerCase(),
    kind: "=" + element.dataset.kind,
    person: "person" in element.dataset,
  }));

  const fits = (row, wanted, kindWanted) =>
    (!kindWanted || row.kind === kindWanted || (kindWanted === "person" && row.person)) &&
    wanted.every((word) => row.text.includes(word));

  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const visible = fits(row, wanted, kind.value);
      row.element.hidden = !visible;
      if (visible) count += 1;
    }
    shown.textContent = `${count.toLocaleString("en")} of ${rows.length.toLocaleString("en")} rows`;
  };

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  words.addEventListener("input", show);
  kind.addEventListener("change", show);
  show();
})();
