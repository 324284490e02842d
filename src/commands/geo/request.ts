/**
 * How a search is asked for. Six commands share one grammar; the older ones have their center and circle in fixed places.
 */
import * as Either from "effect/Either"
import { type Area, decode, type Place } from "../../bytes/Geohash.ts"
import type { Args } from "../../command/Args.ts"
import type { Ctx } from "../../command/Command.ts"
import { SyntaxError } from "../../errors/CommandError.ts"
import { InvalidArea, InvalidSearch } from "../../errors/GeoErrors.ts"
import { SortedSet } from "../../store/SortedSet.ts"
import { parsePlace, parseUnit } from "./places.ts"

/** Which of the six commands it is. */
export interface Form {
  readonly from: "place" | "member" | "options"
  /** Whether a destination is given by STORE or STOREDIST, comes first, or is not possible. */
  readonly stores: "option" | "always" | "never"
}

export interface Search {
  readonly set: SortedSet | undefined
  /** Absent only where there is nothing to search. */
  readonly area: Area | undefined
  readonly destination: string | undefined
  /** Store distances, not cells. */
  readonly storesDistances: boolean
  readonly withDistance: boolean
  readonly withHash: boolean
  readonly withPlace: boolean
  readonly order: "none" | "nearest" | "farthest"
  /** 0: all. */
  readonly count: number
  /** Any members will do: the search ends at the count. */
  readonly any: boolean
}

/** A circle or box without its center. */
type Shape =
  | { readonly shape: "circle"; readonly unitMeters: number; readonly radius: number }
  | { readonly shape: "box"; readonly unitMeters: number; readonly width: number; readonly height: number }

/** A search while its words are read. */
type Draft = { -readonly [K in keyof Search]: Search[K] } & {
  center: Place | undefined
  /** Which option gave the center; the other one may not follow. */
  centerFrom: "member" | "place" | undefined
  shape: Shape | undefined
}

const parseCircle = (args: Args): Shape => {
  const radius = args.float(InvalidArea.radius)
  if (radius < 0) args.fail(InvalidArea.negativeRadius)
  return { shape: "circle", radius, unitMeters: parseUnit(args) }
}

const parseBox = (args: Args): Shape => {
  const width = args.float(InvalidArea.width)
  const height = args.float(InvalidArea.height)
  if (width < 0 || height < 0) args.fail(InvalidArea.negativeBox)
  return { shape: "box", width, height, unitMeters: parseUnit(args) }
}

const placeOfMember = (set: SortedSet, args: Args): Place => {
  const score = set.score(args.next())
  return score === undefined ? args.fail(InvalidArea.member) : decode(score)
}

/** Center and circle where the older commands have them. */
const parseFixed = (args: Args, form: Form, draft: Draft): void => {
  if (form.from === "place") {
    draft.center = parsePlace(args)
    draft.shape = parseCircle(args)
  } else if (draft.set === undefined) {
    // A key that is not there is not searched, so member, radius and unit may be anything.
    for (let words = 3; words > 0; words--) args.next()
  } else {
    draft.center = placeOfMember(draft.set, args)
    draft.shape = parseCircle(args)
  }
}

/** Takes one of the options that give center and shape; answers whether there was one. */
const parseWhere = (args: Args, draft: Draft): boolean => {
  if (draft.centerFrom !== "place" && args.optionWith("FROMMEMBER", 1)) {
    if (draft.set === undefined) args.next()
    else draft.center = placeOfMember(draft.set, args)
    draft.centerFrom = "member"
  } else if (draft.centerFrom !== "member" && args.optionWith("FROMLONLAT", 2)) {
    draft.center = parsePlace(args)
    draft.centerFrom = "place"
  } else if (draft.shape?.shape !== "box" && args.optionWith("BYRADIUS", 2)) draft.shape = parseCircle(args)
  else if (draft.shape?.shape !== "circle" && args.optionWith("BYBOX", 3)) draft.shape = parseBox(args)
  else return false
  return true
}

/** Takes one of the options that say where the result goes; answers whether there was one. */
const parseDestination = (args: Args, form: Form, draft: Draft): boolean => {
  if (form.stores === "always") {
    if (!args.option("STOREDIST")) return false
    draft.storesDistances = true
    return true
  }
  if (form.stores === "never") return false
  if (args.optionWith("STORE", 1)) draft.storesDistances = false
  else if (args.optionWith("STOREDIST", 1)) draft.storesDistances = true
  else return false
  draft.destination = args.key()
  return true
}

/** Takes one of the options that all commands have; answers whether there was one. */
const parseCommon = (args: Args, draft: Draft): boolean => {
  if (args.option("WITHDIST")) draft.withDistance = true
  else if (args.option("WITHHASH")) draft.withHash = true
  else if (args.option("WITHCOORD")) draft.withPlace = true
  else if (args.option("ANY")) draft.any = true
  else if (args.option("ASC")) draft.order = "nearest"
  else if (args.option("DESC")) draft.order = "farthest"
  else if (args.optionWith("COUNT", 1)) {
    draft.count = args.int()
    if (draft.count <= 0) args.fail(InvalidSearch.count)
  } else return false
  return true
}

/** Looks up the key on the way: a wrong type, and a member that is not there, come before errors in the options. */
export const parse = (args: Args, form: Form, { db, argv }: Ctx): Search => {
  const destination = form.stores === "always" ? args.key() : undefined
  const found = db.readAs(args.key(), SortedSet)
  if (Either.isLeft(found)) return args.fail(found.left)
  const draft: Draft = {
    set: found.right,
    area: undefined,
    destination,
    storesDistances: false,
    withDistance: false,
    withHash: false,
    withPlace: false,
    order: "none",
    count: 0,
    any: false,
    center: undefined,
    centerFrom: undefined,
    shape: undefined,
  }
  if (form.from !== "options") parseFixed(args, form, draft)
  while (args.more) {
    if (parseCommon(args, draft) || parseDestination(args, form, draft)) continue
    if (form.from === "options" && parseWhere(args, draft)) continue
    args.fail(SyntaxError.error)
  }
  if (draft.destination !== undefined && (draft.withDistance || draft.withHash || draft.withPlace)) {
    args.fail(InvalidSearch.storing(form.stores === "always" ? "GEOSEARCHSTORE" : "STORE option in GEORADIUS"))
  }
  if (form.from === "options") {
    if (draft.centerFrom === undefined) args.fail(InvalidSearch.center(argv[0]!))
    if (draft.shape === undefined) args.fail(InvalidSearch.shape(argv[0]!))
  }
  if (draft.any && draft.count === 0) args.fail(InvalidSearch.any)
  if (draft.center !== undefined && draft.shape !== undefined) draft.area = { center: draft.center, ...draft.shape }
  return draft
}
