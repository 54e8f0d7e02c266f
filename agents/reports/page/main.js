// The page: brings search, list, video and decisions together.

const byId = (id) => document.getElementById(id);

async function start() {
  for (const table of document.querySelectorAll("#classes table")) sortable(table);
  const packed = byId("packed");
  const videos = await unpack(packed.textContent);
  packed.remove();
  const decisions = new Decisions(videos, byId("videos").dataset.digest);
  const showDecisions = () => {
    list.draw();
    markChoices(byId("video"), decisions);
    byId("decided").textContent = decisionsText(decisions);
    byId("discard").disabled = decisions.byLabel.size === 0;
  };
  const list = new VideoList(byId("list"), byId("rows"), (video) => described(videos, decisions, video), (video) => {
    showVideo(byId("video"), videos, video);
    markChoices(byId("video"), decisions);
  });
  const search = () => {
    const { value: number } = byId("class");
    const [query, status, order] = ["query", "status", "order"].map((id) => byId(id).value);
    const classIndex = number === "" ? null : Number(number);
    const shown = found(videos, decisions, { query, classIndex, status, order });
    byId("count").textContent = `${shown.length} of ${videos.length} videos`;
    list.show(shown);
  };

  fillMenus(videos);
  listenToSearch(search);
  listenToDecisions(decisions, list, showDecisions);
  byId("state").hidden = true;
  byId("browser").hidden = false;
  search();
  showDecisions();
  document.documentElement.dataset.ready = "yes";
}

/** Fills the menus with classes and with what can be asked of these videos. */
function fillMenus(videos) {
  videos.classes.forEach((name, index) => byId("class").append(element("option", { value: index }, name)));
  for (const [name, text, , needs] of STATUSES) {
    if (!needs || videos.knows[needs]) byId("status").append(element("option", { value: name }, text));
  }
  if (!videos.knows.scores) byId("order").querySelector("[value=uncertain]").remove();
}

function listenToSearch(search) {
  for (const kind of ["input", "change"]) byId("search").addEventListener(kind, search);
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.target.matches("input, select, textarea")) return;
    event.preventDefault();
    byId("query").focus();
  });
  for (const button of document.querySelectorAll("button[data-class]")) {
    button.addEventListener("click", () => {
      byId("class").value = button.dataset.class;
      byId("query").value = "";
      search();
      byId("videos").scrollIntoView();
      byId("list").focus({ preventScroll: true });
    });
  }
}

function listenToDecisions(decisions, list, changed) {
  byId("video").addEventListener("click", (event) => {
    const button = event.target.closest("button[data-row]");
    if (!button) return;
    const { row, modality, decision } = button.dataset;
    const again = button.getAttribute("aria-pressed") === "true";
    decisions.set(Number(row), Number(modality), again ? undefined : decision);
    changed();
  });
  byId("list").addEventListener("keydown", (event) => {
    if (list.video === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    const decided = { a: ACCEPT, v: VETO, u: undefined };
    const key = event.key.toLowerCase();
    if (key === "enter") byId("video").focus();
    if (!(key in decided)) return;
    decisions.setAll(list.video, decided[key]);
    changed();
  });
  byId("discard").addEventListener("click", () => {
    if (!confirm("Forget all decisions in this report?")) return;
    decisions.clear();
    changed();
  });
  byId("download").addEventListener("click", () => download(decisions.csv(), "edited_labels.csv"));
}

function decisionsText(decisions) {
  if (decisions.byLabel.size === 0) return "No decision of yours yet: the file holds the labels as the run left them.";
  const counts = decisions.counts();
  const parts = [`${counts.accept} accepted`, `${counts.veto} vetoed`, `${counts.remove} removed by hand`];
  return `Your decisions: ${parts.join(", ")}.`;
}

/** A line of the list: the video's name, and its labels with what is left of them. */
function described(videos, decisions, video) {
  const rows = videos.rows(video);
  const decided = rows.some((row) => decisions.isReviewed(row));
  const labels = rows.map((row) => element("span", { class: "label" }, videos.classOf(row), ...[0, 1].map((m) => (
    element("span", { class: decisions.isRemoved(row, m) ? "mark gone" : "mark stays" }, "AV"[m])))));
  const said = rows.map((row) => {
    const gone = MODALITIES.filter((_, m) => decisions.isRemoved(row, m));
    return gone.length ? `${videos.classOf(row)}, ${gone.join(" and ")} removed` : videos.classOf(row);
  });
  const tick = decided ? [element("span", { class: "tick", title: "decided by you" }, "✓")] : [];
  return {
    content: [
      element("div", { class: "name" }, videos.names[video], ...tick),
      element("div", { class: "labels" }, ...labels),
    ],
    label: `${videos.names[video]}: ${said.join("; ") || "no label"}${decided ? "; decided by you" : ""}`,
  };
}

function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

start().catch((error) => {
  byId("state").textContent = `The videos could not be shown: ${error.message}. A browser of 2023 or newer is needed.`;
  throw error;
});
