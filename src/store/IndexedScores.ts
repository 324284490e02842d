/**
 * The inside of a large sorted set: a table that finds a member's score, and a tree that knows its rank. Every change keeps
 * the two in step; this file is the only place that does.
 */
import { RankTree } from "./RankTree.ts"
import { ScoreTable } from "./ScoreTable.ts"

export class IndexedScores {
  readonly table = new ScoreTable()
  readonly tree = new RankTree(this.table)

  score(member: string): number | undefined {
    const position = this.table.find(member)
    return position === -1 ? undefined : this.table.score(position)
  }

  rank(member: string): number | undefined {
    const position = this.table.find(member)
    return position === -1 ? undefined : this.tree.rank(position)
  }

  /** Adds a copy of a member that is not there. */
  append(member: string, score: number): void {
    this.tree.insert(this.table.append(member, score))
  }

  setScore(position: number, score: number): void {
    this.tree.remove(position)
    this.table.setScore(position, score)
    this.tree.insert(position)
  }

  remove(position: number): void {
    this.tree.remove(position)
    const last = this.table.size - 1
    if (position !== last) this.tree.rename(last, position)
    this.table.remove(position)
  }

  visit(rank: number, count: number, reverse: boolean, visitor: (member: string, score: number) => void): void {
    const { table } = this
    this.tree.visit(rank, count, reverse, (position, score) => visitor(table.member(position), score))
  }
}
