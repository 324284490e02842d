/**
 * A walk over the records of a sorted set from the last rank to the first: see `RecordWalk`, which knows what has been given out.
 *
 * The idea to hold: ranks shift with every change, so the walk remembers the score and the member that it met last and goes on below them.
 */
import type { RankTree } from "../RankTree.ts"
import { RecordWalk } from "./RecordWalk.ts"
import type { ScoreRecords } from "./ScoreRecords.ts"

export class RankedWalk extends RecordWalk {
  private readonly records: ScoreRecords
  private readonly tree: RankTree
  /** What was met last; the walk begins above everything. */
  private score = Infinity
  private member: string | undefined = undefined

  constructor(records: ScoreRecords, tree: RankTree, give: (member: string, score: number) => void) {
    super(records, (address) => give(records.member(address), records.score(address)))
    this.records = records
    this.tree = tree
  }

  override next(count: number): boolean {
    const { records, tree } = this
    if (this.left === 0) return false
    const rank = this.member === undefined ? tree.size : tree.countBefore(this.score, this.member)
    let last = 0
    tree.visit(rank - 1, Math.min(count, rank), true, (address) => {
      last = address
      this.giveAt(records.position(address))
    })
    if (last !== 0) {
      this.score = records.score(last)
      this.member = records.member(last)
    }
    return this.goesOn(rank > count)
  }
}
