/** Members go: one by one (ZREM), or a range by rank, score or member. */
import * as Either from "effect/Either"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { EventClass } from "../../store/Events.ts"
import { type Ranks, SortedSet } from "../../store/SortedSet.ts"
import { indexes, lexRange, ranksOfIndexes, scoreRange } from "./bounds.ts"

const zrem = Command.make({
  name: "zrem",
  summary: "Remove one or more members from a sorted set",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(M*log(N)) with N being the number of elements in the sorted set and M the number of elements to be removed.",
  history: [["2.4.0", "Accepts multiple elements."]],
  arity: -3,
  flags: "write fast",
  acl: "sortedset",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  parse: (args) => ({ key: args.key(), members: args.rest() }),
  run: ({ key, members }, { db }) =>
    Either.map(db.writeAs(key, SortedSet), (set) => {
      if (set === undefined) return Reply.zero
      let removed = 0
      for (const member of members) if (set.remove(member)) removed++
      if (removed > 0) {
        db.changed(key, EventClass.sortedSet, "zrem", removed)
        db.removeIfEmpty(key, set)
      }
      return Reply.int(removed)
    }),
})

const removeRanks = (
  key: string,
  event: string,
  ranksOf: (set: SortedSet) => Ranks,
  { db }: Command.Ctx,
): Either.Either<Reply.Reply, CommandError> =>
  Either.map(db.writeAs(key, SortedSet), (set) => {
    if (set === undefined) return Reply.zero
    const ranks = ranksOf(set)
    const removed = Math.max(0, ranks.end - ranks.start)
    if (removed > 0) {
      set.removeRanks(ranks)
      db.changed(key, EventClass.sortedSet, event, removed)
      db.removeIfEmpty(key, set)
    }
    return Reply.int(removed)
  })

const zremrangebyrank = Command.make({
  name: "zremrangebyrank",
  summary: "Remove all members in a sorted set within the given indexes",
  since: "2.0.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
  arity: 4,
  flags: "write",
  acl: "sortedset",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.integer("start"), Arg.integer("stop")],
  parse: (args) => ({ key: args.key(), range: indexes(args) }),
  run: ({ key, range }, ctx) => removeRanks(key, "zremrangebyrank", (set) => ranksOfIndexes(range, set.size), ctx),
})

const zremrangebyscore = Command.make({
  name: "zremrangebyscore",
  summary: "Remove all members in a sorted set within the given scores",
  since: "1.2.0",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
  arity: 4,
  flags: "write",
  acl: "sortedset",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.double("min"), Arg.double("max")],
  parse: (args) => ({ key: args.key(), range: scoreRange(args.next(), args.next()) }),
  run: ({ key, range }, ctx) => removeRanks(key, "zremrangebyscore", (set) => set.ranksOfScores(range), ctx),
})

const zremrangebylex = Command.make({
  name: "zremrangebylex",
  summary: "Remove all members in a sorted set between the given lexicographical range",
  since: "2.8.9",
  group: "sorted-set",
  complexity:
    "O(log(N)+M) with N being the number of elements in the sorted set and M the number of elements removed by the operation.",
  arity: 4,
  flags: "write",
  acl: "sortedset",
  keys: [Key.at(1, "RW delete")],
  args: [Arg.key("key"), Arg.string("min"), Arg.string("max")],
  parse: (args) => ({ key: args.key(), range: lexRange(args.next(), args.next()) }),
  run: ({ key, range }, ctx) => removeRanks(key, "zremrangebylex", (set) => set.ranksOfMembers(range), ctx),
})

export const removeCommands = [zrem, zremrangebyrank, zremrangebyscore, zremrangebylex]
