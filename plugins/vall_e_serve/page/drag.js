// Sorting a list by its handles: with a pointer of any kind, and with the arrow keys.

/**
 * Lets the rows of `list` be moved by the element `.handle` in each.
 *
 * `move(from, to)` is called when a row has found its place, and `focus(at)` afterwards.
 */
export function sortable(list, move, focus) {
  list.addEventListener("pointerdown", (event) => {
    const handle = event.target.closest(".handle");
    if (handle === null || event.button !== 0) return;
    const row = handle.closest("li");
    const from = [...list.children].indexOf(row);
    event.preventDefault();
    row.classList.add("dragged");

    // The row is taken out of the document and put back while it moves, which would end a pointer capture.
    const follow = (now) => {
      if (now.pointerId !== event.pointerId) return;
      const others = [...list.children].filter((each) => each !== row);
      const next = others.find((each) => {
        const box = each.getBoundingClientRect();
        return now.clientY < box.top + box.height / 2;
      });
      if ((next ?? null) !== row.nextElementSibling) list.insertBefore(row, next ?? null);
    };
    const drop = (now) => {
      if (now.pointerId !== event.pointerId) return;
      for (const [kind, call] of Object.entries(listeners)) document.removeEventListener(kind, call);
      row.classList.remove("dragged");
      const to = [...list.children].indexOf(row);
      if (to !== from) move(from, to);
      focus(to);
    };
    const listeners = { pointermove: follow, pointerup: drop, pointercancel: drop };
    for (const [kind, call] of Object.entries(listeners)) document.addEventListener(kind, call);
  });

  list.addEventListener("keydown", (event) => {
    const handle = event.target.closest(".handle");
    const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    if (handle === null || step === undefined) return;
    event.preventDefault();
    const from = [...list.children].indexOf(handle.closest("li"));
    const to = from + step;
    if (to < 0 || to >= list.children.length) return;
    move(from, to);
    focus(to);
  });
}
