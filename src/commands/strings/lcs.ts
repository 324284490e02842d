/**
 * LCS: the longest common subsequence of two strings, its length, or where it lies in both.
 *
 * The idea to hold: the work grows with the product of the lengths, and Redis bounds it by the memory its table would take.
 * Ours takes far less (bytes/CommonSubsequence.ts); the bound stays, because it bounds the time too.
 */
import * as Either from "effect/Either"
import * as CommonSubsequence from "../../bytes/CommonSubsequence.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import * as Errors from "../../errors/StringErrors.ts"
import { lengthOf } from "../../store/Bits.ts"
import { bytesOf } from "../../store/Value.ts"
import { isString } from "./answers.ts"

/** Bytes a pair of positions takes in Redis's table. */
const cellBytes = 4

const range = (start: number, end: number): Reply.Reply => Reply.array([Reply.int(start), Reply.int(end)])

/** The answer to IDX: the stretches of at least `lengthMin` bytes, from the last to the first, and the whole length. */
const indexes = (found: CommonSubsequence.CommonSubsequence, lengthMin: number, withLengths: boolean): Reply.Reply => {
  const matches: Array<Reply.Reply> = []
  for (const { firstStart, firstEnd, secondStart, secondEnd } of found.matches) {
    const length = firstEnd - firstStart + 1
    if (length < lengthMin) continue
    const ranges = [range(firstStart, firstEnd), range(secondStart, secondEnd)]
    matches.push(Reply.array(withLengths ? [...ranges, Reply.int(length)] : ranges))
  }
  return Reply.record({ matches: Reply.array(matches), len: Reply.int(found.length) })
}

export const lcs = Command.make({
  name: "lcs",
  summary: "Find longest common substring",
  since: "7.0.0",
  group: "string",
  complexity: "O(N*M) where N and M are the lengths of s1 and s2, respectively",
  arity: -3,
  flags: "readonly",
  acl: "string",
  keys: [Key.range(1, "RO access", { last: 1 })],
  args: [
    Arg.key("key1"),
    Arg.key("key2"),
    Arg.token("LEN", { optional: true }),
    Arg.token("IDX", { optional: true }),
    Arg.integer("len", { token: "MINMATCHLEN", optional: true }),
    Arg.token("WITHMATCHLEN", { optional: true }),
  ],
  parse: (args, { db }) => {
    const first = db.read(args.key()) ?? ""
    const second = db.read(args.key()) ?? ""
    // The types of the values come before the words of the request: Redis checks in this order.
    if (!isString(first) || !isString(second)) throw Errors.CommonSubsequence.notStrings
    const params = { first, second, length: false, indexes: false, lengthMin: 0, withLengths: false }
    while (args.more) {
      if (args.option("IDX")) params.indexes = true
      else if (args.option("LEN")) params.length = true
      else if (args.option("WITHMATCHLEN")) params.withLengths = true
      else if (args.optionWith("MINMATCHLEN", 1)) params.lengthMin = args.int()
      else args.fail(SyntaxError.error)
    }
    return params
  },
  run: ({ first, second, length, indexes: wantsIndexes, lengthMin, withLengths }, { limits }) => {
    if (length && wantsIndexes) return Either.left(Errors.CommonSubsequence.lengthAndIndexes)
    if ((lengthOf(first) + 1) * (lengthOf(second) + 1) * cellBytes > limits.protoMaxBulkLen) {
      return Either.left(Errors.CommonSubsequence.tooLarge)
    }
    const a = bytesOf(first)
    const b = bytesOf(second)
    if (length) return Either.right(Reply.int(CommonSubsequence.length(a, b)))
    const found = CommonSubsequence.find(a, b)
    if (wantsIndexes) return Either.right(indexes(found, lengthMin, withLengths))
    return Either.right(Reply.bulk(CommonSubsequence.subsequence(a, found)))
  },
})
