// One video: its clip, a timeline of every class, and what happened to its labels.

/** Fills an element with a video. */
function showVideo(box, videos, video) {
  if (video === undefined) {
    box.replaceChildren(element("p", { class: "hint" }, "No video fits. Search for less, or show all videos."));
    return;
  }
  const parts = [element("h3", { id: "video-name" }, videos.names[video])];
  const clip = videos.clips[video];
  const player = clip ? element("video", { src: clip, controls: "", preload: "metadata" }) : null;
  if (player) {
    player.setAttribute("aria-label", `clip of ${videos.names[video]}`);
    parts.push(player, element("p", { class: "hint" }, element("a", { href: clip }, decodeURIComponent(clip))));
  } else if (videos.clips.length) {
    parts.push(element("p", { class: "hint" }, "There is no clip of this video in the folder."));
  }
  const rows = videos.rows(video, true).sort((first, second) => videos.isWeak(second) - videos.isWeak(first));
  parts.push(element("div", { class: "scroll" }, timelines(videos, rows)), trackLegend(videos));
  box.replaceChildren(...parts);
  if (player) follow(player, box, videos.segments);
}

function timelines(videos, rows) {
  const time = videos.segments ? [timeHead(videos.segments)] : [];
  const heads = ["class", "track", ...time, scoreName(videos), "your decision"];
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  const caption = element("caption", { class: "hidden" }, "Classes by segments, and what happened to the labels");
  const body = element("tbody", {}, ...rows.flatMap((row) => [0, 1].map((m) => timeline(videos, row, m))));
  return element("table", { class: "timelines" }, caption, element("thead", {}, head), body);
}

/** A line of the table: one class in one modality. */
function timeline(videos, row, modality) {
  const weak = videos.isWeak(row);
  const line = element("tr", weak ? {} : { class: "unlabelled" });
  if (modality === 0) {
    const name = element("span", { class: "class-name" }, videos.classOf(row));
    const note = weak ? [] : [element("small", {}, "no weak label")];
    line.append(element("th", { scope: "rowgroup", rowspan: 2 }, name, ...note));
  }
  line.append(element("th", { scope: "row" }, MODALITIES[modality]));
  if (videos.segments) line.append(element("td", { class: "time" }, track(videos, row, modality)));
  if (weak) line.append(outcome(videos, row, modality), choices(videos, row, modality));
  else line.append(element("td"), element("td"));
  return line;
}

/** What the number beside a label is. */
function scoreName(videos) {
  if (!videos.knows.scores) return "label";
  return videos.probabilities ? "removal probability" : "removal score";
}

/** Numbers above the segments. */
function timeHead(segments) {
  const every = Math.ceil(segments / 15);
  const numbers = Array.from({ length: segments }, (_, i) => element("span", {}, i % every === 0 ? String(i + 1) : ""));
  return element("div", { class: `${trackStyle(segments)} numbers`, role: "img", "aria-label": `segments 1 to ${segments}` }, ...numbers);
}

/** A strip of segments: the parser's probability as a bar, its decision as the bar's colour, the truth below. */
function track(videos, row, modality) {
  const cells = videos.cells(row, modality);
  const said = [];
  if (videos.knows.predictions) said.push(`parser: ${ranges(cells.map((cell) => cell.predicted))}`);
  if (videos.knows.truth) said.push(`truth: ${ranges(cells.map((cell) => cell.truth))}`);
  const label = `${videos.classOf(row)}, ${MODALITIES[modality]}, ${said.join("; ")}`;
  const strip = element("div", { class: trackStyle(cells.length), role: "img", "aria-label": label });
  strip.append(...cells.map((cell, index) => segment(videos, cell, index)));
  return strip;
}

function trackStyle(segments) { return segments > 24 ? "track many" : "track"; }

function segment(videos, cell, index) {
  const texts = [`segment ${index + 1}`];
  if (videos.knows.predictions) texts.push(`parser ${percent(cell.probability)}${cell.predicted ? ", found" : ""}`);
  if (videos.knows.truth) texts.push(cell.truth ? "true" : "not true");
  const bar = element("i");
  bar.style.height = `${24 * cell.probability}px`; // all of a cell but the truth
  const made = element("span", { class: cell.predicted ? "cell found" : "cell", title: texts.join("; ") }, bar);
  made.dataset.segment = index;
  if (videos.knows.truth) made.append(element("b", cell.truth ? { class: "true" } : {}));
  return made;
}

/** What happened to a label, how probable that was, and whether it was right. */
function outcome(videos, row, modality) {
  const removed = videos.isRemoved(row, modality);
  const cell = element("td", { class: "outcome" });
  if (videos.knows.scores) {
    const score = videos.score(row, modality);
    cell.append(videos.probabilities ? `${percent(score)} ` : `${score.toFixed(2)} `);
  }
  cell.append(element("span", { class: removed ? "tag gone" : "tag stays" }, removed ? "removed" : "kept"));
  if (videos.isUncertain(row, modality)) cell.append(" ", element("span", { class: "tag doubt" }, "uncertain"));
  if (videos.knows.scores && !videos.probabilities) cell.append(element("small", {}, boundaryOf(videos, row, modality)));
  if (videos.isGivenBack(row, modality)) cell.append(element("small", {}, "kept: else no label would be left"));
  const truth = videos.isTrue(row, modality);
  if (truth !== undefined) {
    const text = `truth: ${truth ? "" : "not "}${["heard", "seen"][modality]}`;
    cell.append(element("small", truth === removed ? { class: "bad" } : {}, text));
  }
  return cell;
}

/** What separates the labels of a class that went from those that stayed, where they go by rank. */
function boundaryOf(videos, row, modality) {
  const boundary = videos.boundary[modality][videos.arrays.classes[row]];
  if (boundary >= 1) return "no label of the class went";
  return boundary <= 0 ? "all labels of the class went" : `boundary of the class: ${boundary.toFixed(2)}`;
}

/** Buttons for what the reader may decide of a label. */
function choices(videos, row, modality) {
  const offered = videos.isRemoved(row, modality) ? [[ACCEPT, "Accept"], [VETO, "Veto"]] : [[REMOVE, "Remove"]];
  return element("td", { class: "choices" }, ...offered.map(([decision, text]) => element("button", {
    type: "button",
    "data-row": row,
    "data-modality": modality,
    "data-decision": decision,
    "aria-label": `${text}: ${videos.classOf(row)}, ${MODALITIES[modality]}`,
  }, text)));
}

/** Presses the buttons of what was decided. */
function markChoices(box, decisions) {
  for (const button of box.querySelectorAll("button[data-row]")) {
    const { row, modality, decision } = button.dataset;
    button.setAttribute("aria-pressed", String(decisions.get(Number(row), Number(modality)) === decision));
  }
}

function trackLegend(videos) {
  if (!videos.segments) {
    return element("p", { class: "hint" }, "The run kept no parser, so nothing is known of segments.");
  }
  const items = [];
  if (videos.knows.predictions) {
    items.push(["swatch found", "found by the parser (height: probability)"], ["swatch faint", "not found"]);
  }
  if (videos.knows.truth) items.push(["swatch true", "true"]);
  const lines = items.map(([css, text]) => element("li", {}, element("span", { class: css }), text));
  return element("ul", { class: "legend" }, ...lines);
}

/** Marks the segment that a clip plays, and plays from a segment that is clicked. */
function follow(player, box, segments) {
  player.addEventListener("timeupdate", () => {
    const now = Math.min(Math.floor(player.currentTime / player.duration * segments), segments - 1);
    for (const cell of box.querySelectorAll(".cell")) {
      cell.classList.toggle("now", Number(cell.dataset.segment) === now);
    }
  });
  box.querySelector("table").addEventListener("click", (event) => {
    const cell = event.target.closest(".cell");
    if (cell && player.duration) player.currentTime = Number(cell.dataset.segment) / segments * player.duration;
  });
}

/** Says which segments are marked, as "2–4, 7". */
function ranges(marked) {
  const found = [];
  marked.forEach((is, index) => {
    if (!is) return;
    if (index > 0 && marked[index - 1]) found.at(-1)[1] = index + 1;
    else found.push([index + 1, index + 1]);
  });
  if (found.length === 0) return "no segment";
  return `segments ${found.map(([first, last]) => (first === last ? first : `${first}–${last}`)).join(", ")}`;
}

function percent(share) { return `${Math.round(100 * share)} %`; }
