/** SSCAN: all members, a few at a time. */
import * as Either from "effect/Either"
import { compileKeyGlob, type Matcher } from "../../bytes/Glob.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import { parseCursor } from "../../command/Cursor.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { SetValue } from "../../store/SetValue.ts"

const countDefault = 10

const sscan = Command.make({
  name: "sscan",
  summary: "Incrementally iterate Set elements",
  since: "2.8.0",
  group: "set",
  complexity:
    "O(1) for every call. O(N) for a complete iteration, including enough command calls for the cursor to return back to 0. N is the number of elements inside the collection..",
  arity: -3,
  flags: "readonly",
  acl: "set",
  tips: ["nondeterministic_output"],
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.integer("cursor"),
    Arg.pattern("pattern", { token: "MATCH", optional: true }),
    Arg.integer("count", { token: "COUNT", optional: true }),
  ],
  parse: (args, { db }) => {
    const key = args.key()
    const cursor = parseCursor(args.next())
    const found = db.readAs(key, SetValue)
    if (Either.isLeft(found)) return args.fail(found.left)
    const set = found.right
    let count = countDefault
    let matches: Matcher | undefined
    // What is not there has been scanned, whatever the options say.
    if (set === undefined) return { set, cursor, count, matches }
    while (args.more) {
      if (args.optionWith("COUNT", 1)) count = args.intIn(1, Number.MAX_SAFE_INTEGER, SyntaxError.error)
      else if (args.optionWith("MATCH", 1)) matches = compileKeyGlob(args.next())
      else args.fail(SyntaxError.error)
    }
    return { set, cursor, count, matches }
  },
  run: ({ set, cursor, count, matches }) => {
    const members: Array<string> = []
    const next =
      set?.scan(cursor, count, (member) => {
        if (matches === undefined || matches(member)) members.push(member)
      }) ?? 0
    return Either.right(Reply.array([Reply.bulk(String(next)), Reply.bulks(members)]))
  },
})

export const scanCommands = [sscan]
