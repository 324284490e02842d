/**
 * Places: sorted sets whose scores are cells of a grid on earth (bytes/Geohash.ts). Here are adding and looking up; the
 * searches are in `search.ts`.
 */
import * as Either from "effect/Either"
import { decode, distance, encode, type Place, toText } from "../../bytes/Geohash.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { add, type Additions, When } from "../sortedSets/add.ts"
import { distanceReply, parsePlace, parseUnit, placeReply } from "./places.ts"
import { searchCommands } from "./search.ts"

const geoadd = Command.make({
  name: "geoadd",
  summary: "Add one or more geospatial items in the geospatial index represented using a sorted set",
  since: "3.2.0",
  group: "geo",
  complexity: "O(log(N)) for each item added, where N is the number of elements in the sorted set.",
  history: [["6.2.0", "Added the `CH`, `NX` and `XX` options."]],
  arity: -5,
  flags: "write denyoom",
  acl: "geo",
  keys: [Key.at(1, "RW update")],
  args: [
    Arg.key("key"),
    Arg.oneOf("condition", [Arg.token("NX"), Arg.token("XX")], { optional: true, since: "6.2.0" }),
    Arg.token("CH", { name: "change", optional: true, since: "6.2.0" }),
    Arg.block("longitude_latitude_member", [Arg.double("longitude"), Arg.double("latitude"), Arg.string("member")], {
      multiple: true,
    }),
  ],
  parse: (args): Additions => {
    const key = args.key()
    let when = 0
    let countChanged = false
    while (args.more) {
      if (args.option("NX")) when |= When.absent
      else if (args.option("XX")) when |= When.present
      else if (args.option("CH")) countChanged = true
      else break
    }
    if (args.left % 3 !== 0 || when === (When.absent | When.present)) args.fail(SyntaxError.error)
    const scores: Array<number> = []
    const members: Array<string> = []
    while (args.more) {
      scores.push(encode(parsePlace(args)))
      members.push(args.next())
    }
    if (members.length === 0) args.fail(SyntaxError.error)
    return { key, when, countChanged, increment: false, scores, members }
  },
  run: (additions, ctx) => {
    const { key, when, scores, members } = additions
    const option = when & When.absent ? ["NX"] : when & When.present ? ["XX"] : []
    ctx.propagateAs(["ZADD", key, ...option, ...members.flatMap((member, i) => [String(scores[i]), member])])
    return add(additions, ctx)
  },
})

const placeOf = (set: SortedSet | undefined, member: string): Place | undefined => {
  const score = set?.score(member)
  return score === undefined ? undefined : decode(score)
}

const geodist = Command.make({
  name: "geodist",
  summary: "Returns the distance between two members of a geospatial index",
  since: "3.2.0",
  group: "geo",
  complexity: "O(log(N))",
  arity: -4,
  flags: "readonly",
  acl: "geo",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("member1"),
    Arg.string("member2"),
    Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")], { optional: true }),
  ],
  parse: (args) => {
    const key = args.key()
    const from = args.next()
    const to = args.next()
    if (args.left > 1) args.fail(SyntaxError.error)
    return { key, from, to, unitMeters: args.more ? parseUnit(args) : 1 }
  },
  run: ({ key, from, to, unitMeters }, { db }) =>
    Either.map(db.readAs(key, SortedSet), (set) => {
      const start = placeOf(set, from)
      const end = placeOf(set, to)
      return start === undefined || end === undefined ? Reply.nil : distanceReply(distance(start, end) / unitMeters)
    }),
})

const geohash = Command.make({
  name: "geohash",
  summary: "Returns members of a geospatial index as standard geohash strings",
  since: "3.2.0",
  group: "geo",
  complexity: "O(log(N)) for each member requested, where N is the number of elements in the sorted set.",
  arity: -2,
  flags: "readonly",
  acl: "geo",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  parse: (args) => ({ key: args.key(), members: args.rest() }),
  run: ({ key, members }, { db }) =>
    Either.map(db.readAs(key, SortedSet), (set) =>
      Reply.bulks(
        members.map((member) => {
          const place = placeOf(set, member)
          return place === undefined ? undefined : toText(place)
        }),
      ),
    ),
})

const geopos = Command.make({
  name: "geopos",
  summary: "Returns longitude and latitude of members of a geospatial index",
  since: "3.2.0",
  group: "geo",
  complexity: "O(N) where N is the number of members requested.",
  arity: -2,
  flags: "readonly",
  acl: "geo",
  keys: [Key.at(1, "RO access")],
  args: [Arg.key("key"), Arg.string("member", { multiple: true })],
  parse: (args) => ({ key: args.key(), members: args.rest() }),
  run: ({ key, members }, { db }) =>
    Either.map(db.readAs(key, SortedSet), (set) =>
      Reply.array(
        members.map((member) => {
          const place = placeOf(set, member)
          return place === undefined ? Reply.nilArray : placeReply(place)
        }),
      ),
    ),
})

export const geoCommands = [geoadd, geodist, geohash, geopos, ...searchCommands]
