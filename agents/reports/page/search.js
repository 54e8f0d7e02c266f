// Which videos are shown, and in which order.

/** Ways to choose labels: name, text, what must hold of a label, and what the page must know for it. */
const STATUSES = [
  ["", "all videos", () => true],
  ["removed", "with a removal", (v, row, m) => v.isRemoved(row, m)],
  ["removed-audio", "audio label removed", (v, row, m) => m === 0 && v.isRemoved(row, m)],
  ["removed-visual", "visual label removed", (v, row, m) => m === 1 && v.isRemoved(row, m)],
  ["uncertain", "uncertain", (v, row, m) => v.isUncertain(row, m), "scores"],
  ["disagree", "parser disagrees", (v, row, m) => v.isRemoved(row, m) === v.isPredicted(row, m), "predictions"],
  ["wrong", "wrongly removed", (v, row, m) => v.isRemoved(row, m) && v.isTrue(row, m), "truth"],
  ["missed", "noise kept", (v, row, m) => !v.isRemoved(row, m) && !v.isTrue(row, m), "truth"],
  ["decided", "decided by you", (v, row, m, decisions) => decisions.get(row, m) !== undefined],
  ["open", "removals to review", (v, row, m, decisions) => v.isRemoved(row, m) && decisions.get(row, m) === undefined],
];
const WORDS = new Set(["removed", "uncertain"]); // statuses that may be typed

/** A name as people type it. */
function plain(text) { return text.toLowerCase().replaceAll("_", " "); }

/**
 * Returns the numbers of the videos that fit. A word fits a video's name or one of its classes; the words of WORDS,
 * the class and the status must all hold of one label, which is of a class that words name, if any does.
 */
function found(videos, decisions, { query, classIndex, status, order }) {
  const words = plain(query).split(/\s+/).filter(Boolean);
  const statuses = [status, ...words.filter((word) => WORDS.has(word))];
  const tests = STATUSES.filter(([name]) => name && statuses.includes(name)).map(([, , test]) => test);
  const typed = words.filter((word) => !WORDS.has(word));
  const classes = typed.map((word) => videos.classes.map((name) => plain(name).includes(word)));
  const names = typed.map((word) => (video) => plain(videos.names[video]).includes(word));

  const fits = (video) => {
    let rows = videos.rows(video);
    if (classIndex !== null) rows = rows.filter((row) => videos.arrays.classes[row] === classIndex);
    const named = typed.map((_, i) => rows.filter((row) => classes[i][videos.arrays.classes[row]]));
    if (!named.every((some, i) => some.length > 0 || names[i](video))) return false;
    if (classIndex !== null && rows.length === 0) return false;
    const meant = named.some((some) => some.length > 0) ? named.flat() : rows;
    const holds = (row, m) => tests.every((test) => test(videos, row, m, decisions));
    return tests.length === 0 || meant.some((row) => holds(row, 0) || holds(row, 1));
  };
  const result = [];
  for (let video = 0; video < videos.length; video++) if (fits(video)) result.push(video);
  return order === "uncertain" ? byMargin(videos, result) : result;
}

/** Videos, those first of which a label was decided most narrowly. */
function byMargin(videos, chosen) {
  const margins = new Map(chosen.map((video) => [video, Math.min(
    ...videos.rows(video).flatMap((row) => [videos.margin(row, 0), videos.margin(row, 1)]))]));
  return chosen.toSorted((first, second) => margins.get(first) - margins.get(second));
}
