/**
 * Members with scores, see `RecordTable`.
 *
 *     position    bytes of the member    score in two words    member
 */
import { readDouble, writeDouble } from "../bytes/RecordLayout.ts"
import { blockOf, wordAt } from "./RecordBlocks.ts"
import { RecordTable } from "./RecordTable.ts"

const headWords = 4

export class ScoreRecords extends RecordTable {
  /** Told where a record has moved to, before the old place is given up. */
  onMoved: (from: number, to: number) => void = () => {}

  constructor() {
    super(headWords)
  }

  score(address: number): number {
    return readDouble(this.blocks.words[blockOf(address)], wordAt(address) + 2)
  }

  setScore(address: number, score: number): void {
    this.changing(address)
    writeDouble(this.blocks.words[blockOf(address)], wordAt(address) + 2, score)
  }

  /** Adds a member that is not there; returns the address of its record. */
  insertScored(member: string, score: number): number {
    const address = this.insert(member, 0)
    writeDouble(this.blocks.words[blockOf(address)], wordAt(address) + 2, score)
    return address
  }

  protected override moved(from: number, to: number): void {
    this.onMoved(from, to)
  }
}
