/**
 * The first line of a script or library, `#!engine option ...`: which engine it is for, what it is called and what it
 * promises. Scripts and libraries are read by the same rules and refused with different words.
 */
import * as Either from "effect/Either"
import type { CommandError } from "../errors/CommandError.ts"
import { ScriptInvalid } from "../errors/ScriptErrors.ts"
import { splitArguments } from "../bytes/Quoting.ts"

/** The promises a script can make, in the order in which FUNCTION LIST tells them. */
export const flagNames = ["no-writes", "allow-oom", "allow-stale", "no-cluster", "allow-cross-slot-keys"] as const
export type Flag = (typeof flagNames)[number]
export type Flags = ReadonlySet<Flag>

export const isFlag = (name: string): name is Flag => (flagNames as ReadonlyArray<string>).includes(name)

/** The first line's words, or undefined when quotes are not closed. */
const words = (source: string, end: number): ReadonlyArray<string> | undefined => splitArguments(source.slice(0, end))

/** The flags of a script and what is left to compile: from the end of the first line, so that lines keep their numbers. */
export const ofScript = (
  source: string,
): Either.Either<{ readonly flags: Flags | undefined; readonly body: string }, CommandError> => {
  if (!source.startsWith("#!")) return Either.right({ flags: undefined, body: source })
  const end = source.indexOf("\n")
  if (end < 0) return invalid("Invalid script shebang")
  const parts = words(source, end)
  if (parts === undefined || parts.length === 0) return invalid("Invalid engine in script shebang")
  if (parts[0] !== "#!lua") return invalid(`Unexpected engine in script shebang: ${parts[0]}`)
  const flags = new Set<Flag>()
  for (const part of parts.slice(1)) {
    if (!part.startsWith("flags=")) return invalid(`Unknown lua shebang option: ${part}`)
    const list = part.slice("flags=".length)
    for (const name of list === "" ? [] : list.split(",")) {
      if (!isFlag(name)) return invalid(`Unexpected flag in script shebang: ${name}`)
      flags.add(name)
    }
  }
  return Either.right({ flags, body: source.slice(end) })
}

/** A library's name and engine, and what is left to compile. */
export const ofLibrary = (
  source: string,
): Either.Either<{ readonly engine: string; readonly name: string; readonly body: string }, CommandError> => {
  const end = source.indexOf("\n")
  if (!source.startsWith("#!")) return invalid("Missing library metadata")
  if (end < 0) return invalid("Invalid library metadata")
  const parts = words(source, end)
  if (parts === undefined || parts.length === 0) return invalid("Invalid library metadata")
  let name: string | undefined
  for (const part of parts.slice(1)) {
    if (!part.toLowerCase().startsWith("name=")) return invalid(`Invalid metadata value given: ${part}`)
    if (name !== undefined) return invalid("Invalid metadata value, name argument was given multiple times")
    name = part.slice("name=".length)
  }
  if (name === undefined) return invalid("Library name was not given")
  if (!isName(name)) return invalid(nameRule)
  const engine = parts[0]!.slice(2)
  if (engine.toLowerCase() !== "lua") return invalid(`Engine '${engine}' not found`)
  return Either.right({ engine: "LUA", name, body: source.slice(end) })
}

/** Names of libraries and functions. */
export const isName = (name: string): boolean => /^[A-Za-z0-9_]+$/.test(name)
export const nameRule =
  "Library names can only contain letters, numbers, or underscores(_) and must be at least one character long"

const invalid = (message: string) => Either.left(new ScriptInvalid(message))
