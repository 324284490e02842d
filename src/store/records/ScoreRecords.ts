/**
 * Members with scores, see `RecordTable`.
 *
 *     position    bytes of the member    score in two words    member
 */
import { blockOf, wordAt } from "./RecordBlocks.ts"
import { RecordTable } from "./RecordTable.ts"

const headWords = 4

const double = new Float64Array(1)
const doubleWords = new Int32Array(double.buffer)

export class ScoreRecords extends RecordTable {
  /** Told where a record has moved to, before the old place is given up. */
  onMoved: (from: number, to: number) => void = () => {}

  constructor() {
    super(headWords)
  }

  score(address: number): number {
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    doubleWords[0] = words[word + 2]
    doubleWords[1] = words[word + 3]
    return double[0]
  }

  setScore(address: number, score: number): void {
    const words = this.blocks.words[blockOf(address)]
    const word = wordAt(address)
    double[0] = score
    words[word + 2] = doubleWords[0]
    words[word + 3] = doubleWords[1]
  }

  /** Adds a member that is not there; returns the address of its record. */
  insertScored(member: string, score: number): number {
    const address = this.insert(member, 0)
    this.setScore(address, score)
    return address
  }

  protected override moved(from: number, to: number): void {
    this.onMoved(from, to)
  }
}
