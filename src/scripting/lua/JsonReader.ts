/**
 * JSON to Lua values, as cjson reads it: text is taken from Lua's memory and strings without escapes go back without ever
 * becoming JavaScript strings.
 *
 * The invariant: the text ends with a zero byte, as every Lua string does, so a look at the next byte is always allowed.
 */
import type { JsonSettings } from "./CjsonLibrary.ts"
import { ByteWriter } from "./ByteWriter.ts"
import type { Vm } from "./Vm.ts"
import type { State } from "./Wasm.ts"

type Token =
  | "T_OBJ_BEGIN"
  | "T_OBJ_END"
  | "T_ARR_BEGIN"
  | "T_ARR_END"
  | "T_STRING"
  | "T_NUMBER"
  | "T_BOOLEAN"
  | "T_NULL"
  | "T_COLON"
  | "T_COMMA"
  | "T_END"
  | "T_ERROR"

const punctuation: Readonly<Record<string, Token>> = {
  "{": "T_OBJ_BEGIN",
  "}": "T_OBJ_END",
  "[": "T_ARR_BEGIN",
  "]": "T_ARR_END",
  ":": "T_COLON",
  ",": "T_COMMA",
}
const escapes: Readonly<Record<string, number>> = {
  '"': 34,
  "\\": 92,
  "/": 47,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
}
const quote = 34
const backslash = 92
/** What C's `strtod` reads; not only what JSON allows. */
const numberPattern =
  /^[-+]?(?:0x(?:[0-9a-f]+\.?[0-9a-f]*|\.[0-9a-f]+)(?:p[-+]?\d+)?|inf(?:inity)?|nan(?:\(\w*\))?|(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?)/i
/** Longer numbers are cut: a double has no use for more digits. */
const numberLengthMax = 1100

export class JsonReader {
  private readonly vm: Vm
  private readonly settings: JsonSettings
  private readonly text = new ByteWriter()
  private start = 0
  private at = 0
  private depth = 0
  /** Of the token read last: where it began, its number or truth, and where its string lies (-1: in `text`). */
  private tokenAt = 0
  private number = 0
  private stringFrom = 0
  private stringLength = 0
  private problem = ""

  constructor(vm: Vm, settings: JsonSettings) {
    this.vm = vm
    this.settings = settings
  }

  decode(L: State): number {
    const { wasm } = this.vm
    if (wasm.lua.lua_gettop(L) !== 1) wasm.argumentError(L, 1, "expected 1 argument")
    this.start = this.at = wasm.checkBytes(L, 1)
    this.depth = 0
    if (wasm.lastLength >= 2 && (wasm.bytes[this.at] === 0 || wasm.bytes[this.at + 1] === 0)) {
      wasm.raise(L, "JSON parser does not support UTF-16 or UTF-32")
    }
    this.value(L, this.next())
    const token = this.next()
    if (token !== "T_END") this.unexpected(L, "the end", token)
    return 1
  }

  private unexpected(L: State, expected: string, token: Token): never {
    const found = token === "T_ERROR" ? this.problem : token
    return this.vm.wasm.raise(
      L,
      `Expected ${expected} but found ${found} at character ${this.tokenAt - this.start + 1}`,
    )
  }

  private error(problem: string): Token {
    this.problem = problem
    this.tokenAt = this.at
    return "T_ERROR"
  }

  private next(): Token {
    const { bytes } = this.vm.wasm
    while (bytes[this.at] === 32 || (bytes[this.at]! >= 9 && bytes[this.at]! <= 10) || bytes[this.at] === 13) this.at++
    this.tokenAt = this.at
    const byte = bytes[this.at]!
    if (byte === 0) return "T_END"
    if (byte === quote) return this.string()
    const char = String.fromCharCode(byte)
    const token = punctuation[char]
    if (token !== undefined) {
      this.at++
      return token
    }
    if (byte === 45 || (byte >= 48 && byte <= 57)) {
      if (!this.settings.decodeInvalid && this.isInvalidNumber()) return this.error("invalid number")
      return this.numeral()
    }
    if (this.follows("true")) return this.literal("T_BOOLEAN", 4, 1)
    if (this.follows("false")) return this.literal("T_BOOLEAN", 5, 0)
    if (this.follows("null")) return this.literal("T_NULL", 4, 0)
    if (this.settings.decodeInvalid && this.isInvalidNumber()) return this.numeral()
    return this.error("invalid token")
  }

  private literal(token: Token, length: number, value: number): Token {
    this.at += length
    this.number = value
    return token
  }

  private follows(word: string, ignoreCase = false): boolean {
    const { bytes } = this.vm.wasm
    for (let i = 0; i < word.length; i++) {
      const byte = bytes[this.at + i]!
      if ((ignoreCase ? byte | 32 : byte) !== word.charCodeAt(i)) return false
    }
    return true
  }

  /** Hexadecimal, with a superfluous zero or sign, infinite or no number at all. */
  private isInvalidNumber(): boolean {
    const { bytes } = this.vm.wasm
    const from = this.at
    if (bytes[from] === 43) return true
    const signed = bytes[from] === 45 ? 1 : 0
    const first = bytes[from + signed]!
    if (first === 48) {
      const second = bytes[from + signed + 1]!
      return (second | 32) === 120 || (second >= 48 && second <= 57)
    }
    if (first <= 57) return false
    this.at += signed
    const special = this.follows("inf", true) || this.follows("nan", true)
    this.at = from
    return special
  }

  private numeral(): Token {
    const { wasm } = this.vm
    // Most numbers are short and whole.
    const { bytes } = wasm
    let end = this.at + (bytes[this.at] === 45 ? 1 : 0)
    const digitsFrom = end
    let value = 0
    while (end - digitsFrom < 15 && bytes[end]! >= 48 && bytes[end]! <= 57) value = value * 10 + (bytes[end++]! - 48)
    const following = bytes[end]!
    const isPlain =
      end > digitsFrom &&
      following !== 46 &&
      (following | 32) !== 101 &&
      (following | 32) !== 120 &&
      !(following >= 48 && following <= 57)
    if (isPlain) {
      this.number = digitsFrom === this.at ? value : -value
      this.at = end
      return "T_NUMBER"
    }
    const match = numberPattern.exec(wasm.cString(this.at, numberLengthMax))
    if (match === null) return this.error("invalid number")
    this.number = numberOf(match[0].toLowerCase())
    this.at += match[0].length
    return "T_NUMBER"
  }

  private string(): Token {
    const { bytes } = this.vm.wasm
    let end = this.at + 1
    while (bytes[end] !== quote && bytes[end] !== backslash && bytes[end] !== 0) end++
    if (bytes[end] === quote) {
      this.stringFrom = this.at + 1
      this.stringLength = end - this.stringFrom
      this.at = end + 1
      return "T_STRING"
    }
    return this.escapedString()
  }

  private escapedString(): Token {
    const { bytes } = this.vm.wasm
    this.text.reset()
    this.stringFrom = -1
    this.at++
    for (;;) {
      const byte = bytes[this.at]!
      if (byte === quote) {
        this.at++
        return "T_STRING"
      }
      if (byte === 0) return this.error("unexpected end of string")
      if (byte !== backslash) {
        this.text.byte(byte)
        this.at++
        continue
      }
      const char = String.fromCharCode(bytes[this.at + 1]!)
      if (char === "u") {
        if (!this.unicodeEscape()) return this.error("invalid unicode escape code")
        continue
      }
      const code = escapes[char]
      if (code === undefined) return this.error("invalid escape code")
      this.text.byte(code)
      this.at += 2
    }
  }

  /** The four hexadecimal digits at `at`, -1 if they are not there. */
  private hex(at: number): number {
    const { bytes } = this.vm.wasm
    let value = 0
    for (let i = 0; i < 4; i++) {
      const digit = parseInt(String.fromCharCode(bytes[at + i]!), 16)
      if (Number.isNaN(digit)) return -1
      value = value * 16 + digit
    }
    return value
  }

  private unicodeEscape(): boolean {
    const { bytes } = this.vm.wasm
    let code = this.hex(this.at + 2)
    if (code < 0) return false
    let length = 6
    if ((code & 0xf800) === 0xd800) {
      if ((code & 0x400) !== 0 || bytes[this.at + 6] !== backslash || bytes[this.at + 7] !== 117) return false
      const low = this.hex(this.at + 8)
      if (low < 0 || (low & 0xfc00) !== 0xdc00) return false
      code = (((code & 0x3ff) << 10) | (low & 0x3ff)) + 0x10000
      length = 12
    }
    this.at += length
    if (code < 0x80) this.text.byte(code)
    else {
      const trailing = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3
      this.text.byte([0, 0xc0, 0xe0, 0xf0][trailing]! | (code >> (6 * trailing)))
      for (let i = trailing - 1; i >= 0; i--) this.text.byte(0x80 | ((code >> (6 * i)) & 0x3f))
    }
    return true
  }

  private pushString(L: State): void {
    const { wasm } = this.vm
    if (this.stringFrom < 0) wasm.pushBytes(L, this.text.bytes, this.text.length)
    else wasm.lua.lua_pushlstring(L, this.stringFrom, this.stringLength)
  }

  /** Pushes the value that begins with `token`. */
  private value(L: State, token: Token): void {
    const { lua } = this.vm.wasm
    switch (token) {
      case "T_STRING":
        return this.pushString(L)
      case "T_NUMBER":
        return lua.lua_pushnumber(L, this.number)
      case "T_BOOLEAN":
        return lua.lua_pushboolean(L, this.number)
      case "T_NULL":
        return lua.lua_pushlightuserdata(L, 0)
      case "T_OBJ_BEGIN":
        return this.object(L)
      case "T_ARR_BEGIN":
        return this.array(L)
      default:
        this.unexpected(L, "value", token)
    }
  }

  private descend(L: State, slots: number): void {
    this.depth++
    if (this.depth > this.settings.decodeDepthMax || this.vm.wasm.lua.lua_checkstack(L, slots) === 0) {
      this.vm.wasm.raise(L, `Found too many nested data structures (${this.depth})`)
    }
  }

  private object(L: State): void {
    const { lua } = this.vm.wasm
    this.descend(L, 3)
    lua.lua_createtable(L, 0, 0)
    let token = this.next()
    if (token === "T_OBJ_END") {
      this.depth--
      return
    }
    for (;;) {
      if (token !== "T_STRING") this.unexpected(L, "object key string", token)
      this.pushString(L)
      token = this.next()
      if (token !== "T_COLON") this.unexpected(L, "colon", token)
      this.value(L, this.next())
      lua.lua_rawset(L, -3)
      token = this.next()
      if (token === "T_OBJ_END") break
      if (token !== "T_COMMA") this.unexpected(L, "comma or object end", token)
      token = this.next()
    }
    this.depth--
  }

  private array(L: State): void {
    const { lua } = this.vm.wasm
    this.descend(L, 2)
    lua.lua_createtable(L, 0, 0)
    let token = this.next()
    if (token === "T_ARR_END") {
      this.depth--
      return
    }
    for (let index = 1; ; index++) {
      this.value(L, token)
      lua.lua_rawseti(L, -2, index)
      token = this.next()
      if (token === "T_ARR_END") break
      if (token !== "T_COMMA") this.unexpected(L, "comma or array end", token)
      token = this.next()
    }
    this.depth--
  }
}

/** The value of what `numberPattern` matched, in lower case. */
const numberOf = (text: string): number => {
  const negative = text.startsWith("-")
  const bare = text.replace(/^[-+]/, "")
  const value = bare.startsWith("inf")
    ? Infinity
    : bare.startsWith("nan")
      ? NaN
      : bare.startsWith("0x")
        ? hexadecimal(bare)
        : Number(bare)
  return negative ? -value : value
}

const hexadecimal = (text: string): number => {
  const [, whole, fraction, exponent] = /^0x([0-9a-f]*)\.?([0-9a-f]*)(?:p([-+]?\d+))?$/.exec(text)!
  const digits = whole! + (fraction ?? "")
  return Number(BigInt(`0x${digits}`)) * 2 ** (Number(exponent ?? 0) - 4 * (fraction ?? "").length)
}
