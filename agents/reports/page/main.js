// The page: brings search, list, video and decisions together.

const byId = (id) => document.getElementById(id);

async function start() {
  for (const table of document.querySelectorAll("#classes table")) sortable(table);
  const packed = byId("packed");
  const videos = await unpack(packed.textContent);
  packed.remove();
  const decisions = new Decisions(videos, byId("videos").dataset.digest);
  fillChoices(videos);

  const list = new VideoList(byId("list"), byId("rows"), (video) => described(videos, decisions, video), () => draw());
  const draw = () => {
    showVideo(byId("video"), videos, decisions, list.video, decide);
    const counts = decisions.counts();
    byId("decided").textContent = decisions.byLabel.size === 0 ? "You have decided nothing yet: the file holds the labels as the run left them."
      : `Your decisions: ${counts.accept} accepted, ${counts.veto} vetoed, ${counts.remove} removed by hand.`;
    byId("discard").disabled = decisions.byLabel.size === 0;
  };
  const refresh = () => { list.draw(); draw(); };
  const decide = (row, modality, decision) => {
    const label = document.activeElement.getAttribute("aria-label");
    decisions.set(row, modality, decision);
    refresh();
    [...byId("video").querySelectorAll("button")].find((button) => button.getAttribute("aria-label") === label)?.focus();
  };
  const search = () => {
    const classIndex = byId("class").value === "" ? null : Number(byId("class").value);
    const shown = found(videos, decisions, { query: byId("query").value, classIndex, status: byId("status").value, order: byId("order").value });
    byId("count").textContent = `${shown.length} of ${videos.length} videos`;
    list.show(shown);
  };

  byId("search").addEventListener("input", search);
  byId("search").addEventListener("submit", (event) => event.preventDefault());
  byId("download").addEventListener("click", () => download(decisions.csv(), "edited_labels.csv"));
  byId("discard").addEventListener("click", () => {
    if (confirm("Forget all decisions in this report?")) { decisions.clear(); refresh(); }
  });
  byId("list").addEventListener("keydown", (event) => {
    const decided = { a: ACCEPT, v: VETO, u: undefined };
    if (event.key === "Enter") byId("video").focus();
    else if (event.key.toLowerCase() in decided && !event.ctrlKey && !event.metaKey && !event.altKey && list.video !== undefined) {
      decisions.setAll(list.video, decided[event.key.toLowerCase()]);
      refresh();
    }
  });
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
  byId("state").hidden = true;
  byId("browser").hidden = false;
  search();
  document.documentElement.dataset.ready = "yes";
}

/** Fills the menus with classes and with what can be asked of these videos. */
function fillChoices(videos) {
  videos.classes.forEach((name, index) => byId("class").append(element("option", { value: index }, name)));
  for (const [name, text, , needs] of STATUSES) {
    if (!needs || videos.knows[needs]) byId("status").append(element("option", { value: name }, text));
  }
  if (!videos.knows.scores) byId("order").querySelector("[value=uncertain]").remove();
}

/** A line of the list: the video's name, and its labels with what is left of them. */
function described(videos, decisions, video) {
  const labels = videos.rows(video).map((row) => {
    const marks = [0, 1].map((m) => element("span", { class: `mark ${decisions.isRemoved(row, m) ? "gone" : "stays"}` }, "AV"[m]));
    return element("span", { class: "label" }, videos.classOf(row), ...marks);
  });
  const said = videos.rows(video).map((row) => {
    const gone = MODALITIES.filter((_, m) => decisions.isRemoved(row, m));
    return gone.length ? `${videos.classOf(row)}, ${gone.join(" and ")} removed` : videos.classOf(row);
  });
  const decided = videos.rows(video).some((row) => decisions.isReviewed(row));
  return {
    content: [element("div", { class: "name" }, videos.names[video], ...(decided ? [element("span", { class: "tick", title: "decided by you" }, "✓")] : [])), element("div", { class: "labels" }, ...labels)],
    label: `${videos.names[video]}: ${said.join("; ") || "no label"}${decided ? "; decided by you" : ""}`,
  };
}

function download(text, name) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  element("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10000);
}

start().catch((error) => { byId("state").textContent = `The videos could not be unpacked: ${error.message}. A browser of 2023 or newer is needed.`; throw error; });
