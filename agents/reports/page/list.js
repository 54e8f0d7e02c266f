// The list of videos. Only the lines in view are in the page, so its length does not matter.

const LINE = 54; // pixels, as .line is high
const SPARE = 6; // lines above and below the view

class VideoList {
  /** describe(video): the content of a line and what a screen reader says; choose(video): called for a new choice. */
  constructor(box, rows, describe, choose) {
    Object.assign(this, { box, rows, describe, choose, shown: [], place: -1 });
    box.addEventListener("scroll", () => this.draw());
    box.addEventListener("keydown", (event) => this.#key(event));
    rows.addEventListener("click", (event) => {
      const line = event.target.closest(".line");
      if (line) this.go(Number(line.dataset.place));
    });
    new ResizeObserver(() => this.draw()).observe(box);
  }

  get video() { return this.shown[this.place]; }

  /** Shows other videos and chooses the first. */
  show(videos) {
    const before = this.video;
    this.shown = videos;
    this.rows.style.height = `${videos.length * LINE}px`;
    this.place = videos.length ? 0 : -1;
    this.box.scrollTop = 0;
    this.draw();
    if (this.video !== before || before === undefined) this.choose(this.video);
  }

  /** Chooses the video at a place of the list and brings it into view. */
  go(place) {
    if (this.shown.length === 0) return;
    const before = this.video;
    this.place = Math.min(Math.max(place, 0), this.shown.length - 1);
    const top = this.place * LINE;
    if (top < this.box.scrollTop) this.box.scrollTop = top;
    const lowest = top + LINE - this.box.clientHeight;
    if (lowest > this.box.scrollTop) this.box.scrollTop = lowest;
    this.draw();
    if (this.video !== before) this.choose(this.video);
  }

  draw() {
    const first = Math.max(Math.floor(this.box.scrollTop / LINE) - SPARE, 0);
    const last = Math.min(Math.ceil((this.box.scrollTop + this.box.clientHeight) / LINE) + SPARE, this.shown.length);
    const lines = [];
    for (let place = first; place < last; place++) lines.push(this.#line(place));
    this.rows.replaceChildren(...lines);
    const active = document.getElementById(`line-${this.place}`);
    if (active) this.box.setAttribute("aria-activedescendant", active.id);
    else this.box.removeAttribute("aria-activedescendant");
  }

  #line(place) {
    const { content, label } = this.describe(this.shown[place]);
    const line = element("div", {
      class: "line",
      id: `line-${place}`,
      role: "option",
      "aria-label": label,
      "aria-selected": String(place === this.place),
      "aria-setsize": this.shown.length,
      "aria-posinset": place + 1,
      "data-place": place,
    }, ...content);
    line.style.top = `${place * LINE}px`;
    return line;
  }

  #key(event) {
    const page = Math.max(Math.floor(this.box.clientHeight / LINE) - 1, 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (!(event.key in steps) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.go(this.place + steps[event.key]);
  }
}

/** Returns a new element; children are elements or texts, which are never read as HTML. */
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
