/** Keys of any type: existence, deadlines, names, scans. */
import * as Either from "effect/Either"
import * as Reply from "../codec/Reply.ts"
import * as Arg from "../command/Arg.ts"
import * as Command from "../command/Command.ts"
import * as Key from "../command/Key.ts"
import { EventClass } from "../store/Events.ts"

const del = Command.make({
  name: "del",
  summary: "Delete a key",
  since: "1.0.0",
  group: "generic",
  complexity: "O(N)",
  arity: -2,
  flags: "write",
  acl: "keyspace",
  tips: ["request_policy:multi_shard", "response_policy:agg_sum"],
  keys: [Key.range(1, "RM delete", { last: -1 })],
  args: [Arg.key("key", { multiple: true })],
  parse: (args) => args.rest(),
  run: (keys, { db }) => {
    let removed = 0
    for (const key of keys) {
      if (db.remove(key) === undefined) continue
      db.changed(key, EventClass.generic, "del")
      removed++
    }
    return Either.right(Reply.int(removed))
  },
})

export const keyCommands = [del]
