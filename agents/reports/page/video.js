// One video: its clip, a timeline of every class, and what happened to its labels.

/** Fills an element with a video; decide(row, modality, decision) is called for the reader's decisions. */
function showVideo(box, videos, decisions, video, decide) {
  if (video === undefined) {
    box.replaceChildren(element("p", { class: "hint" }, "No video fits. Search for less, or show all videos."));
    return;
  }
  const parts = [element("h3", { id: "video-name" }, videos.names[video])];
  const clip = videos.clips[video];
  const player = clip ? element("video", { src: clip, controls: "", preload: "metadata", "aria-label": `clip of ${videos.names[video]}` }) : null;
  if (player) parts.push(player, element("p", { class: "hint" }, element("a", { href: clip }, clip)));
  else if (videos.clips.length) parts.push(element("p", { class: "hint" }, "There is no clip of this video in the folder."));
  const rows = videos.rows(video, true).sort((first, second) => videos.isWeak(second) - videos.isWeak(first));
  parts.push(element("div", { class: "scroll" }, timelines(videos, decisions, rows, decide)), trackLegend(videos));
  box.replaceChildren(...parts);
  if (player) follow(player, box, videos.segments);
}

function timelines(videos, decisions, rows, decide) {
  const heads = ["class", "track", ...(videos.segments ? [timeHead(videos.segments)] : []), videos.knows.scores ? "removal" : "label", "your decision"];
  const body = element("tbody");
  for (const row of rows) {
    for (const modality of [0, 1]) {
      const line = element("tr", { class: videos.isWeak(row) ? "" : "unlabelled" });
      if (modality === 0) line.append(element("th", { scope: "rowgroup", rowspan: 2 }, videos.classOf(row), ...(videos.isWeak(row) ? [] : [element("small", {}, "no weak label")])));
      line.append(element("th", { scope: "row" }, MODALITIES[modality]));
      if (videos.segments) line.append(element("td", { class: "time" }, track(videos, row, modality)));
      line.append(...(videos.isWeak(row) ? [outcome(videos, decisions, row, modality), choices(videos, decisions, row, modality, decide)] : [element("td"), element("td")]));
      body.append(line);
    }
  }
  const head = element("tr", {}, ...heads.map((text) => element("th", { scope: "col" }, text)));
  return element("table", { class: "timelines" }, element("caption", { class: "hidden" }, "Classes by segments, and what happened to the labels"), element("thead", {}, head), body);
}

/** Numbers above the segments. */
function timeHead(segments) {
  const every = Math.ceil(segments / 15);
  const numbers = Array.from({ length: segments }, (_, i) => element("span", {}, i % every === 0 ? String(i + 1) : ""));
  return element("div", { class: "track numbers", role: "img", "aria-label": `segments 1 to ${segments}` }, ...numbers);
}

/** A strip of segments: the parser's probability as a bar, its decision as the bar's colour, the truth below. */
function track(videos, row, modality) {
  const cells = videos.cells(row, modality);
  const said = [];
  if (videos.knows.predictions) said.push(`parser: ${ranges(cells.map((cell) => cell.predicted))}`);
  if (videos.knows.truth) said.push(`truth: ${ranges(cells.map((cell) => cell.truth))}`);
  const strip = element("div", { class: "track", role: "img", "aria-label": `${videos.classOf(row)}, ${MODALITIES[modality]}, ${said.join("; ")}` });
  cells.forEach((cell, index) => {
    const texts = [`segment ${index + 1}`];
    if (videos.knows.predictions) texts.push(`parser ${percent(cell.probability)}${cell.predicted ? ", found" : ""}`);
    if (videos.knows.truth) texts.push(cell.truth ? "true" : "not true");
    const made = element("span", { class: `cell${cell.predicted ? " found" : ""}`, title: texts.join("; ") });
    made.dataset.segment = index;
    const bar = element("i");
    bar.style.height = `${24 * cell.probability}px`; // all of a cell but the truth
    made.append(bar);
    if (videos.knows.truth) made.append(element("b", cell.truth ? { class: "true" } : {}));
    strip.append(made);
  });
  return strip;
}

/** What happened to a label, how probable that was, and whether it was right. */
function outcome(videos, decisions, row, modality) {
  const removed = videos.isRemoved(row, modality);
  const cell = element("td", { class: "outcome" }, element("span", { class: removed ? "tag gone" : "tag stays" }, removed ? "removed" : "kept"));
  if (videos.knows.scores) cell.append(` ${percent(videos.score(row, modality))}`);
  if (videos.isUncertain(row, modality)) cell.append(" ", element("span", { class: "tag doubt" }, "uncertain"));
  const truth = videos.isTrue(row, modality);
  if (truth !== undefined) {
    cell.append(element("small", { class: truth === removed ? "bad" : "" }, `truth: ${truth ? "" : "not "}${["heard", "seen"][modality]}`));
  }
  return cell;
}

/** Buttons for what the reader may decide of a label. */
function choices(videos, decisions, row, modality, decide) {
  const decided = decisions.get(row, modality);
  const offered = videos.isRemoved(row, modality) ? [[ACCEPT, "Accept"], [VETO, "Veto"]] : [[REMOVE, "Remove"]];
  return element("td", { class: "choices" }, ...offered.map(([decision, text]) => {
    const button = element("button", { type: "button", "aria-pressed": String(decided === decision), class: decision,
      "aria-label": `${text}: ${videos.classOf(row)}, ${MODALITIES[modality]}` }, text);
    button.addEventListener("click", () => decide(row, modality, decided === decision ? undefined : decision));
    return button;
  }));
}

function trackLegend(videos) {
  if (!videos.segments) return element("p", { class: "hint" }, "The run kept no parser, so nothing is known of segments.");
  const items = videos.knows.predictions ? [["swatch found", "found by the parser (height: probability)"], ["swatch faint", "not found"]] : [];
  if (videos.knows.truth) items.push(["swatch true", "true"]);
  if (videos.knows.scores && !videos.probabilities) items.push(["", "removal: score by which labels went, not a probability"]);
  return element("ul", { class: "legend" }, ...items.map(([css, text]) => element("li", {}, element("span", { class: css }), text)));
}

/** Marks the segment that a clip plays, and plays from a segment that is clicked. */
function follow(player, box, segments) {
  player.addEventListener("timeupdate", () => {
    const now = Math.min(Math.floor(player.currentTime / player.duration * segments), segments - 1);
    for (const cell of box.querySelectorAll(".cell")) cell.classList.toggle("now", Number(cell.dataset.segment) === now);
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
