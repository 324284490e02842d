/**
 * The grammar of a command's arguments as data: what COMMAND DOCS prints, and what the tests draw random requests from.
 * Constructors are named after Redis's argument types.
 */
export interface ArgOptions {
  /** The word before the argument (`EX`). */
  readonly token?: string
  readonly optional?: boolean
  readonly multiple?: boolean
  /** With `multiple`: the token is repeated before each. */
  readonly multipleToken?: boolean
  readonly since?: string
  readonly deprecatedSince?: string
  readonly summary?: string
  /** For keys: the index of the key specification it belongs to; `undefined` for none. */
  readonly keySpec?: number | undefined
  /** For tokens: the name, where it is not the token in lower case. */
  readonly name?: string
}

export interface Arg extends ArgOptions {
  readonly name: string
  readonly type: "key" | "string" | "integer" | "double" | "pattern" | "unix-time" | "pure-token" | "oneof" | "block"
  readonly args?: ReadonlyArray<Arg>
}

const of =
  (type: Arg["type"]) =>
  (name: string, options: ArgOptions = {}): Arg => ({ ...options, name, type })

export const key = (name: string, options: ArgOptions = {}): Arg => ({ keySpec: 0, ...options, name, type: "key" })
export const string = of("string")
export const integer = of("integer")
export const double = of("double")
export const pattern = of("pattern")
export const unixTime = of("unix-time")
export const token = (token: string, options: ArgOptions = {}): Arg => ({
  ...options,
  token,
  name: options.name ?? token.toLowerCase(),
  type: "pure-token",
})
export const oneOf = (name: string, args: ReadonlyArray<Arg>, options: ArgOptions = {}): Arg => ({
  ...options,
  name,
  type: "oneof",
  args,
})
export const block = (name: string, args: ReadonlyArray<Arg>, options: ArgOptions = {}): Arg => ({
  ...options,
  name,
  type: "block",
  args,
})
