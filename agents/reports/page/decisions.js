// What the reader decides about labels, kept by the browser for this report, and the label file that follows.

const ACCEPT = "accept", VETO = "veto", REMOVE = "remove";

class Decisions {
  /** key: names the report, so that another one's decisions are never mixed in. */
  constructor(videos, key) {
    this.videos = videos;
    this.key = `rlld-report:${key}`;
    this.byLabel = new Map(this.#load());
  }

  get(row, modality) { return this.byLabel.get(2 * row + modality); }
  isReviewed(row) { return this.byLabel.has(2 * row) || this.byLabel.has(2 * row + 1); }

  /** Decides about a label; undefined undoes it. */
  set(row, modality, decision) {
    if (decision === undefined) this.byLabel.delete(2 * row + modality);
    else this.byLabel.set(2 * row + modality, decision);
    this.#save();
  }

  /** Decides about all removals of a video; undefined undoes all that was decided of it. */
  setAll(video, decision) {
    for (const row of this.videos.rows(video)) {
      for (const modality of [0, 1]) {
        if (decision === undefined || this.videos.isRemoved(row, modality)) this.set(row, modality, decision);
      }
    }
  }

  clear() {
    this.byLabel.clear();
    this.#save();
  }

  /** Whether a weak label is removed, as the reader left it. */
  isRemoved(row, modality) {
    const decision = this.get(row, modality);
    return decision === REMOVE || (decision !== VETO && this.videos.isRemoved(row, modality));
  }

  /** Numbers of accepted and vetoed removals, and of labels removed by hand. */
  counts() {
    const counts = { [ACCEPT]: 0, [VETO]: 0, [REMOVE]: 0 };
    for (const decision of this.byLabel.values()) counts[decision]++;
    return counts;
  }

  /** The labels as a CSV file, as denoised_labels.csv is: names with commas are quoted within their field, too. */
  csv() {
    const { videos } = this;
    const lines = ["filename,audio_labels,visual_labels"];
    for (let video = 0; video < videos.length; video++) {
      const rows = videos.rows(video);
      const fields = [0, 1].map((modality) => rows
        .filter((row) => !this.isRemoved(row, modality))
        .map((row) => quoted(videos.classOf(row))).join(","));
      lines.push([videos.names[video], ...fields].map(quoted).join(","));
    }
    return lines.join("\n") + "\n";
  }

  #load() {
    try {
      return JSON.parse(localStorage.getItem(this.key) ?? "[]");
    } catch {
      return []; // no storage, as in a private window: decisions live as long as the page
    }
  }

  #save() {
    try {
      localStorage.setItem(this.key, JSON.stringify([...this.byLabel]));
    } catch { /* see above */ }
  }
}

/** A field of a CSV file. */
function quoted(field) {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}
