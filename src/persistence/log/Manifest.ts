/**
 * The manifest of an append-only directory: which files together are the log. One line a file, `file NAME seq N type T`, where the type
 * is `b` for the base (a snapshot, or commands), `i` for what was appended since, in order, and `h` for what a rewrite has replaced and
 * nobody has removed yet.
 *
 * The idea to hold: the manifest is replaced as a whole by a rename, so the log changes from one set of files to the next in one step.
 */
import * as Either from "effect/Either"
import { quote, splitArguments } from "../../bytes/Quoting.ts"

export type FileType = "b" | "i" | "h"

export interface LogFile {
  readonly name: string
  readonly seq: number
}

export interface Manifest {
  readonly base: LogFile | undefined
  readonly incremental: ReadonlyArray<LogFile>
  readonly history: ReadonlyArray<LogFile>
}

export const empty: Manifest = { base: undefined, incremental: [], history: [] }

/** The name of the manifest of the log called `appendfilename`. */
export const manifestName = (appendfilename: string): string => `${appendfilename}.manifest`

/** Names as Redis gives them: appendonly.aof.1.base.rdb, appendonly.aof.1.incr.aof. */
export const baseName = (appendfilename: string, seq: number, format: "rdb" | "aof"): string =>
  `${appendfilename}.${seq}.base.${format}`
export const incrementalName = (appendfilename: string, seq: number): string => `${appendfilename}.${seq}.incr.aof`

/** The next unused number for a base, and for an incremental file. */
export const nextBaseSeq = (manifest: Manifest): number => (manifest.base?.seq ?? 0) + 1
export const nextIncrementalSeq = (manifest: Manifest): number =>
  (manifest.incremental[manifest.incremental.length - 1]?.seq ?? 0) + 1

/** Appends an incremental file. */
export const withIncremental = (manifest: Manifest, file: LogFile): Manifest => ({
  ...manifest,
  incremental: [...manifest.incremental, file],
})

/**
 * The manifest after a rewrite: `base` stands for everything before the incremental file `first`; what it replaces becomes history.
 */
export const withBase = (manifest: Manifest, base: LogFile, first: LogFile): Manifest => {
  const kept = manifest.incremental.filter((file) => file.seq >= first.seq)
  const replaced = manifest.incremental.filter((file) => file.seq < first.seq)
  return {
    base,
    incremental: kept,
    history: [...manifest.history, ...(manifest.base === undefined ? [] : [manifest.base]), ...replaced],
  }
}

const quoted = (name: string): string => (/^[\x21-\x7e]+$/.test(name) && !/["'\\]/.test(name) ? name : quote(name))

export const print = (manifest: Manifest): string => {
  const line = (type: FileType) => (file: LogFile) => `file ${quoted(file.name)} seq ${file.seq} type ${type}\n`
  return [
    ...(manifest.base === undefined ? [] : [line("b")(manifest.base)]),
    ...manifest.history.map(line("h")),
    ...manifest.incremental.map(line("i")),
  ].join("")
}

/** Where and why a text is not a manifest. */
export interface Malformed {
  readonly offset: number
  readonly reason: string
}

/** With the end of the line. */
const lineCharsMax = 1024

export const parse = (text: string): Either.Either<Manifest, Malformed> => {
  let base: LogFile | undefined
  const incremental: Array<LogFile> = []
  const history: Array<LogFile> = []
  let offset = 0
  const lines = text.split("\n")
  // redis-server refuses it, too: what was cut off may have been more than the end of the line.
  if (lines.pop() !== "") return Either.left({ offset: text.length, reason: "last line without its end" })
  for (const line of lines) {
    const at = offset
    offset += line.length + 1
    if (line.startsWith("#")) continue
    const file = line.length >= lineCharsMax ? "line too long" : line === "" ? "blank line" : parseLine(line)
    if (typeof file === "string") return Either.left({ offset: at, reason: file })
    if (file.type === "h") history.push(file)
    else if (file.type === "b") {
      if (base !== undefined) return Either.left({ offset: at, reason: "more than one base file" })
      base = file
    } else {
      const previous = incremental[incremental.length - 1]
      if (previous !== undefined && file.seq <= previous.seq) {
        return Either.left({ offset: at, reason: "incremental files out of order" })
      }
      incremental.push(file)
    }
  }
  if (base === undefined && incremental.length === 0 && history.length === 0) {
    return Either.left({ offset: 0, reason: "no files" })
  }
  const plain = ({ name, seq }: LogFile): LogFile => ({ name, seq })
  return Either.right({
    base: base === undefined ? undefined : plain(base),
    incremental: incremental.map(plain),
    history: history.map(plain),
  })
}

const parseLine = (line: string): (LogFile & { readonly type: FileType }) | string => {
  const parts = splitArguments(line)
  if (parts === undefined) return "unbalanced quotes"
  if (parts.length < 6 || parts.length % 2 !== 0) return "a line is `file NAME seq N type T`"
  let name = ""
  let seq = 0
  let type = ""
  for (let i = 0; i < parts.length; i += 2) {
    const key = parts[i].toLowerCase()
    if (key === "file") name = parts[i + 1]
    else if (key === "seq") seq = Number(parts[i + 1])
    else if (key === "type") type = parts[i + 1]
  }
  if (name === "" || name.includes("/")) return "a file's name may not be empty or a path"
  if (!Number.isSafeInteger(seq) || seq <= 0) return "a file's number is not positive"
  if (type !== "b" && type !== "i" && type !== "h") return `unknown file type ${JSON.stringify(type)}`
  return { name, seq, type }
}
