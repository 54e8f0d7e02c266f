// The videos: rows of (video, class), unpacked from the compressed block (see packing.py).

const MODALITIES = ["audio", "visual"];
const WEAK = 1, REMOVED = 2, UNCERTAIN = 8, GIVEN_BACK = 32; // bits of a row's flags; the next bit is visual's
const ARRAY_TYPES = { uint32: Uint32Array, uint16: Uint16Array, uint8: Uint8Array };

/** Returns the videos in the text of an element: base64 of gzip. */
async function unpack(text) {
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  const arrays = {};
  let place = 4 + length;
  for (const [name, type, size] of header.arrays) {
    arrays[name] = new ARRAY_TYPES[type](buffer, place, size);
    place += arrays[name].byteLength;
  }
  return new Videos(header, arrays);
}

/** What is known of the training videos. A label is a row's, of one modality: 0 is audio, 1 visual. */
class Videos {
  constructor(header, arrays) {
    Object.assign(this, header); // names, classes, clips, segments, boundary, probabilities, knows
    this.arrays = arrays;
    this.length = header.names.length;
    this.videoOf = new Uint32Array(arrays.flags.length);
    for (let video = 0; video < this.length; video++) {
      this.videoOf.fill(video, arrays.offsets[video], arrays.offsets[video + 1]);
    }
  }

  /** Rows of a video; those of its weak labels only, unless all are asked for. */
  rows(video, all = false) {
    const found = [];
    for (let row = this.arrays.offsets[video]; row < this.arrays.offsets[video + 1]; row++) {
      if (all || this.isWeak(row)) found.push(row);
    }
    return found;
  }

  isWeak(row) { return (this.arrays.flags[row] & WEAK) !== 0; }
  isRemoved(row, modality) { return (this.arrays.flags[row] & (REMOVED << modality)) !== 0; }
  isUncertain(row, modality) { return (this.arrays.flags[row] & (UNCERTAIN << modality)) !== 0; }
  isGivenBack(row, modality) { return (this.arrays.flags[row] & (GIVEN_BACK << modality)) !== 0; }
  classOf(row) { return this.classes[this.arrays.classes[row]]; }

  /** Probability or score of removal, 0 to 1. */
  score(row, modality) { return this.arrays.scores[2 * row + modality] / 255; }

  /** How far a label's score is from what decided. */
  margin(row, modality) {
    return Math.abs(this.score(row, modality) - this.boundary[modality][this.arrays.classes[row]]);
  }

  /** What is predicted and true in each segment. */
  cells(row, modality) {
    const start = (2 * row + modality) * this.segments;
    return Array.from(this.arrays.cells.subarray(start, start + this.segments), (code) => (
      { probability: (code >> 2) / 63, predicted: (code & 2) !== 0, truth: (code & 1) !== 0 }
    ));
  }

  /** Whether an event is found by the parser, or true, in any segment; undefined where nobody knows. */
  isPredicted(row, modality) { return this.knows.predictions ? this.#any(row, modality, 2) : undefined; }
  isTrue(row, modality) { return this.knows.truth ? this.#any(row, modality, 1) : undefined; }

  #any(row, modality, bit) {
    const start = (2 * row + modality) * this.segments;
    return this.arrays.cells.subarray(start, start + this.segments).some((code) => (code & bit) !== 0);
  }
}
