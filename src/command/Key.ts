/**
 * Where the keys of a command stand in its request, as data: COMMAND INFO prints it, COMMAND GETKEYS, ACLs, scripts and
 * cluster clients use it. Redis calls one such record a key specification.
 */
export interface Key {
  /** Redis's words, in its order: RO RW OW RM, access insert update delete, not_key incomplete variable_flags. */
  readonly flags: ReadonlyArray<string>
  readonly notes?: string
  readonly begin:
    | { readonly _tag: "Index"; readonly index: number }
    | { readonly _tag: "Keyword"; readonly keyword: string; readonly startFrom: number }
    | { readonly _tag: "Unknown" }
  readonly find:
    | { readonly _tag: "Range"; readonly last: number; readonly step: number; readonly limit: number }
    | { readonly _tag: "Counted"; readonly countIndex: number; readonly first: number; readonly step: number }
    | { readonly _tag: "Unknown" }
}

interface RangeOptions {
  /** Relative to the first key when positive, to the end of the request when negative. */
  readonly last?: number
  readonly step?: number
  /** 2: only the first half of the arguments are keys, and so on. */
  readonly limit?: number
  readonly notes?: string
}

const words = (flags: string): ReadonlyArray<string> => (flags === "" ? [] : flags.split(" "))
const notes = (options: { readonly notes?: string }) => (options.notes === undefined ? {} : { notes: options.notes })

/** Keys from `index` on: one, or as far as `last` says. */
export const range = (index: number, flags: string, options: RangeOptions = {}): Key => ({
  flags: words(flags),
  ...notes(options),
  begin: { _tag: "Index", index },
  find: { _tag: "Range", last: options.last ?? 0, step: options.step ?? 1, limit: options.limit ?? 0 },
})

/** The one key at `index`. */
export const at = range

/** The number of keys at `index`, and the keys after it. */
export const counted = (index: number, flags: string, options: { readonly notes?: string } = {}): Key => ({
  flags: words(flags),
  ...notes(options),
  begin: { _tag: "Index", index },
  find: { _tag: "Counted", countIndex: 0, first: 1, step: 1 },
})

/** Keys after a word, looked for from `startFrom` on (from the end when negative). */
export const after = (keyword: string, startFrom: number, flags: string, options: RangeOptions = {}): Key => ({
  flags: words(flags),
  ...notes(options),
  begin: { _tag: "Keyword", keyword, startFrom },
  find: { _tag: "Range", last: options.last ?? 0, step: options.step ?? 1, limit: options.limit ?? 0 },
})

/** There are keys, but where cannot be said ahead (SORT BY); such a command gives its own `Command.keysOf`. */
export const unknown = (flags: string, options: { readonly notes?: string } = {}): Key => ({
  flags: words(flags),
  ...notes(options),
  begin: { _tag: "Unknown" },
  find: { _tag: "Unknown" },
})

/** One key of a request: where it stands, and what the command does with it. */
export interface Found {
  readonly position: number
  readonly flags: ReadonlyArray<string>
}

/** The keys of `argv` by the specifications; absent when the request does not have the form they say. */
export const find = (specs: ReadonlyArray<Key>, argv: ReadonlyArray<string>): ReadonlyArray<Found> | undefined => {
  const found: Array<Found> = []
  for (const spec of specs) {
    let first: number
    if (spec.begin._tag === "Unknown") continue
    if (spec.begin._tag === "Index") first = spec.begin.index
    else {
      const at = findKeyword(argv, spec.begin.keyword, spec.begin.startFrom)
      if (at === undefined) continue
      first = at + 1
    }
    let last: number
    let step = 1
    if (spec.find._tag === "Unknown") continue
    if (spec.find._tag === "Range") {
      step = spec.find.step
      last = spec.find.last >= 0 ? first + spec.find.last : argv.length + spec.find.last
      if (spec.find.last < 0 && spec.find.limit > 1)
        last = first + Math.floor((argv.length - first) / spec.find.limit) - 1
    } else {
      const count = Number(argv[first + spec.find.countIndex])
      if (!Number.isInteger(count) || count < 0) return undefined
      first += spec.find.first
      last = first + count - 1
    }
    if (last >= argv.length || first > argv.length) return undefined
    for (let position = first; position <= last; position += step) found.push({ position, flags: spec.flags })
  }
  return found
}

const findKeyword = (argv: ReadonlyArray<string>, keyword: string, startFrom: number): number | undefined => {
  const step = startFrom > 0 ? 1 : -1
  for (let i = startFrom > 0 ? startFrom : argv.length + startFrom; i > 0 && i < argv.length; i += step) {
    if (argv[i]!.toUpperCase() === keyword) return i
  }
  return undefined
}
