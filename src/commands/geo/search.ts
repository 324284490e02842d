/**
 * Everything within a circle or a box: GEOSEARCH, and GEORADIUS with its variants, which are older forms of it.
 *
 * The idea to hold: the area gives intervals of scores (bytes/Geohash.ts); their members are checked one by one, in the order
 * of the intervals, which is the order of the answer where none is asked for.
 */
import * as Either from "effect/Either"
import { type Area, decode, distanceWithin, intervals, type Place } from "../../bytes/Geohash.ts"
import { partialSort } from "../../bytes/PartialSort.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import * as Command from "../../command/Command.ts"
import * as Key from "../../command/Key.ts"
import type { CommandError } from "../../errors/CommandError.ts"
import { EventClass } from "../../store/Events.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { storeResult } from "../sortedSets/storing.ts"
import { distanceReply, placeReply } from "./places.ts"
import { parse, type Search } from "./request.ts"

interface Match {
  readonly member: string
  readonly score: number
  readonly place: Place
  readonly meters: number
}

/** How many members are looked at between two looks at the count: what ANY has found may be enough. */
const stride = 64

/** The members within `area`; with `enough` above 0, the search ends when it has so many. */
const matchesOf = (set: SortedSet, area: Area, enough: number): Array<Match> => {
  const matches: Array<Match> = []
  const isEnough = (): boolean => enough > 0 && matches.length >= enough
  for (const { min, max } of intervals(area)) {
    const { start, end } = set.ranksOfScores({ min, max, minExclusive: false, maxExclusive: true })
    for (let rank = start; rank < end && !isEnough(); rank += stride) {
      set.visit(rank, Math.min(stride, end - rank), false, (member, score) => {
        if (isEnough()) return
        const place = decode(score)
        const meters = distanceWithin(area, place)
        if (meters !== undefined) matches.push({ member, score, place, meters })
      })
    }
  }
  return matches
}

const nearestFirst = (a: Match, b: Match): number => a.meters - b.meters
const farthestFirst = (a: Match, b: Match): number => b.meters - a.meters

/** The matches a search asks for, in its order. */
const selected = (set: SortedSet, area: Area, { count, any, order }: Search): ReadonlyArray<Match> => {
  const matches = matchesOf(set, area, any ? count : 0)
  const size = count === 0 ? matches.length : Math.min(count, matches.length)
  // A count without an order means the nearest, unless any will do.
  const sorting = order === "none" && count > 0 && !any ? "nearest" : order
  if (sorting !== "none" && size > 0) {
    const compare = sorting === "nearest" ? nearestFirst : farthestFirst
    if (size === matches.length) matches.sort(compare)
    else partialSort(matches, compare, 0, size - 1)
  }
  return matches.slice(0, size)
}

const replyOf = ({ member, score, place, meters }: Match, unitMeters: number, search: Search): Reply.Reply => {
  const parts: Array<Reply.Reply> = [Reply.bulk(member)]
  if (search.withDistance) parts.push(distanceReply(meters / unitMeters))
  if (search.withHash) parts.push(Reply.int(score))
  if (search.withPlace) parts.push(placeReply(place))
  return Reply.array(parts)
}

const run = (search: Search, event: string, { db, limits }: Command.Ctx): Either.Either<Reply.Reply, CommandError> => {
  const { set, area, destination, withDistance, withHash, withPlace } = search
  const matches = set === undefined || area === undefined ? [] : selected(set, area, search)
  const unitMeters = area?.unitMeters ?? 1
  if (destination !== undefined) {
    const longest = matches.reduce((length, { member }) => Math.max(length, member.length), 0)
    const result = SortedSet.expecting(matches.length, longest, limits)
    for (const { member, score, meters } of matches) {
      result.put(member, search.storesDistances ? meters / unitMeters : score, limits)
    }
    return Either.right(storeResult(db, destination, result, EventClass.sortedSet, event, matches.length))
  }
  return Either.right(
    withDistance || withHash || withPlace
      ? Reply.array(matches.map((match) => replyOf(match, unitMeters, search)))
      : Reply.bulks(matches.map(({ member }) => member)),
  )
}

const georadius = Command.make({
  name: "georadius",
  summary:
    "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a point",
  since: "3.2.0",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  history: [
    ["6.2.0", "Added the `ANY` option for `COUNT`."],
    ["7.0.0", "Added support for uppercase unit names."],
  ],
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` argument",
  arity: -6,
  flags: "write denyoom",
  acl: "geo",
  keys: [Key.at(1, "RO access"), Key.after("STORE", 6, "OW update"), Key.after("STOREDIST", 6, "OW update")],
  args: [
    Arg.key("key"),
    Arg.double("longitude"),
    Arg.double("latitude"),
    Arg.double("radius"),
    Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
    Arg.token("WITHCOORD", { optional: true }),
    Arg.token("WITHDIST", { optional: true }),
    Arg.token("WITHHASH", { optional: true }),
    Arg.block(
      "count",
      [Arg.integer("count", { token: "COUNT" }), Arg.token("ANY", { optional: true, since: "6.2.0" })],
      { optional: true },
    ),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
    Arg.key("key", { token: "STORE", optional: true, keySpec: 1 }),
    Arg.key("key", { token: "STOREDIST", optional: true, keySpec: 2 }),
  ],
  parse: (args, ctx) => parse(args, { from: "place", stores: "option" }, ctx),
  run: (search, ctx) => run(search, "georadiusstore", ctx),
})

const georadiusRo = Command.make({
  name: "georadius_ro",
  summary: "A read-only variant for GEORADIUS",
  since: "3.2.10",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  history: [["6.2.0", "Added the `ANY` option for `COUNT`."]],
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` with the `BYRADIUS` argument",
  arity: -6,
  flags: "readonly",
  acl: "geo",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.double("longitude"),
    Arg.double("latitude"),
    Arg.double("radius"),
    Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
    Arg.token("WITHCOORD", { optional: true }),
    Arg.token("WITHDIST", { optional: true }),
    Arg.token("WITHHASH", { optional: true }),
    Arg.block(
      "count",
      [Arg.integer("count", { token: "COUNT" }), Arg.token("ANY", { optional: true, since: "6.2.0" })],
      { optional: true },
    ),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
  ],
  parse: (args, ctx) => parse(args, { from: "place", stores: "never" }, ctx),
  run: (search, ctx) => run(search, "georadiusstore", ctx),
})

const georadiusbymember = Command.make({
  name: "georadiusbymember",
  summary:
    "Query a sorted set representing a geospatial index to fetch members matching a given maximum distance from a member",
  since: "3.2.0",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  history: [["7.0.0", "Added support for uppercase unit names."]],
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` and `GEOSEARCHSTORE` with the `BYRADIUS` and `FROMMEMBER` arguments",
  arity: -5,
  flags: "write denyoom",
  acl: "geo",
  keys: [Key.at(1, "RO access"), Key.after("STORE", 5, "OW update"), Key.after("STOREDIST", 5, "OW update")],
  args: [
    Arg.key("key"),
    Arg.string("member"),
    Arg.double("radius"),
    Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
    Arg.token("WITHCOORD", { optional: true }),
    Arg.token("WITHDIST", { optional: true }),
    Arg.token("WITHHASH", { optional: true }),
    Arg.block("count", [Arg.integer("count", { token: "COUNT" }), Arg.token("ANY", { optional: true })], {
      optional: true,
    }),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
    Arg.key("key", { token: "STORE", optional: true, keySpec: 1 }),
    Arg.key("key", { token: "STOREDIST", optional: true, keySpec: 2 }),
  ],
  parse: (args, ctx) => parse(args, { from: "member", stores: "option" }, ctx),
  run: (search, ctx) => run(search, "georadiusstore", ctx),
})

const georadiusbymemberRo = Command.make({
  name: "georadiusbymember_ro",
  summary: "A read-only variant for GEORADIUSBYMEMBER",
  since: "3.2.10",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements inside the bounding box of the circular area delimited by center and radius and M is the number of items inside the index.",
  docFlags: "deprecated",
  deprecatedSince: "6.2.0",
  replacedBy: "`GEOSEARCH` with the `BYRADIUS` and `FROMMEMBER` arguments",
  arity: -5,
  flags: "readonly",
  acl: "geo",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.string("member"),
    Arg.double("radius"),
    Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
    Arg.token("WITHCOORD", { optional: true }),
    Arg.token("WITHDIST", { optional: true }),
    Arg.token("WITHHASH", { optional: true }),
    Arg.block("count", [Arg.integer("count", { token: "COUNT" }), Arg.token("ANY", { optional: true })], {
      optional: true,
    }),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
  ],
  parse: (args, ctx) => parse(args, { from: "member", stores: "never" }, ctx),
  run: (search, ctx) => run(search, "georadiusstore", ctx),
})

const geosearch = Command.make({
  name: "geosearch",
  summary: "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle.",
  since: "6.2.0",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
  history: [["7.0.0", "Added support for uppercase unit names."]],
  arity: -7,
  flags: "readonly",
  acl: "geo",
  keys: [Key.at(1, "RO access")],
  args: [
    Arg.key("key"),
    Arg.oneOf("from", [
      Arg.string("member", { token: "FROMMEMBER" }),
      Arg.block("longitude_latitude", [Arg.double("longitude"), Arg.double("latitude")], { token: "FROMLONLAT" }),
    ]),
    Arg.oneOf("by", [
      Arg.block("circle", [
        Arg.double("radius", { token: "BYRADIUS" }),
        Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
      ]),
      Arg.block("box", [
        Arg.double("width", { token: "BYBOX" }),
        Arg.double("height"),
        Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
      ]),
    ]),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
    Arg.block("count", [Arg.integer("count", { token: "COUNT" }), Arg.token("ANY", { optional: true })], {
      optional: true,
    }),
    Arg.token("WITHCOORD", { optional: true }),
    Arg.token("WITHDIST", { optional: true }),
    Arg.token("WITHHASH", { optional: true }),
  ],
  parse: (args, ctx) => parse(args, { from: "options", stores: "never" }, ctx),
  run: (search, ctx) => run(search, "geosearchstore", ctx),
})

const geosearchstore = Command.make({
  name: "geosearchstore",
  summary:
    "Query a sorted set representing a geospatial index to fetch members inside an area of a box or a circle, and store the result in another key.",
  since: "6.2.0",
  group: "geo",
  complexity:
    "O(N+log(M)) where N is the number of elements in the grid-aligned bounding box area around the shape provided as the filter and M is the number of items inside the shape",
  history: [["7.0.0", "Added support for uppercase unit names."]],
  arity: -8,
  flags: "write denyoom",
  acl: "geo",
  keys: [Key.at(1, "OW update"), Key.at(2, "RO access")],
  args: [
    Arg.key("destination"),
    Arg.key("source", { keySpec: 1 }),
    Arg.oneOf("from", [
      Arg.string("member", { token: "FROMMEMBER" }),
      Arg.block("longitude_latitude", [Arg.double("longitude"), Arg.double("latitude")], { token: "FROMLONLAT" }),
    ]),
    Arg.oneOf("by", [
      Arg.block("circle", [
        Arg.double("radius", { token: "BYRADIUS" }),
        Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
      ]),
      Arg.block("box", [
        Arg.double("width", { token: "BYBOX" }),
        Arg.double("height"),
        Arg.oneOf("unit", [Arg.token("M"), Arg.token("KM"), Arg.token("FT"), Arg.token("MI")]),
      ]),
    ]),
    Arg.oneOf("order", [Arg.token("ASC"), Arg.token("DESC")], { optional: true }),
    Arg.block("count", [Arg.integer("count", { token: "COUNT" }), Arg.token("ANY", { optional: true })], {
      optional: true,
    }),
    Arg.token("STOREDIST", { optional: true }),
  ],
  parse: (args, ctx) => parse(args, { from: "options", stores: "always" }, ctx),
  run: (search, ctx) => run(search, "geosearchstore", ctx),
})

export const searchCommands = [
  georadius,
  georadiusRo,
  georadiusbymember,
  georadiusbymemberRo,
  geosearch,
  geosearchstore,
]
