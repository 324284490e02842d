/**
 * Lua's patterns over Lua's own memory. It works as the C library does, with two differences: it looks at the clock while
 * it backtracks, and it refuses a pattern that nests deeper than the stack allows.
 *
 * Positions are pointers; -1 stands for "no match". Subject and pattern end with a zero byte, as Lua's strings do, and a
 * pattern ends at its first one.
 */
import type { Vm } from "./Vm.ts"
import type { State } from "./Wasm.ts"

const capturesMax = 32
const unfinished = -1
const positionCapture = -2
const depthMax = 2000
/** Steps between two looks at the clock (about a millisecond). */
const stepsPerCheck = 200_000

const char = (text: string): number => text.charCodeAt(0)
const open = char("(")
const close = char(")")
const percent = char("%")
const dollar = char("$")
const dot = char(".")
const bracket = char("[")
const bracketEnd = char("]")
const caret = char("^")
const hyphen = char("-")
const star = char("*")
const plus = char("+")
const question = char("?")

export class Matcher {
  level = 0
  private readonly vm: Vm
  private bytes: Uint8Array
  private L: State = 0
  private start = 0
  private end = 0
  private steps = 0
  private depth = 0
  private readonly from = new Int32Array(capturesMax)
  private readonly length = new Int32Array(capturesMax)

  constructor(vm: Vm) {
    this.vm = vm
    this.bytes = vm.wasm.bytes
  }

  begin(L: State, subject: number, length: number): void {
    this.L = L
    this.bytes = this.vm.wasm.bytes
    this.start = subject
    this.end = subject + length
    this.depth = 0
  }

  private fail(message: string): never {
    return this.vm.wasm.raise(this.L, message)
  }

  private step(): void {
    if (++this.steps < stepsPerCheck) return
    this.steps = 0
    this.vm.checkTime(this.L)
  }

  /** Matches from `s` on; the end of the match or -1. */
  match(s: number, p: number): number {
    if (++this.depth > depthMax) this.fail("pattern too complex")
    const end = this.run(s, p)
    this.depth--
    return end
  }

  private run(s: number, p: number): number {
    const { bytes } = this
    for (;;) {
      this.step()
      switch (bytes[p]!) {
        case 0:
          return s
        case open:
          return bytes[p + 1] === close
            ? this.startCapture(s, p + 2, positionCapture)
            : this.startCapture(s, p + 1, unfinished)
        case close:
          return this.endCapture(s, p + 1)
        case dollar:
          if (bytes[p + 1] === 0) return s === this.end ? s : -1
          break
        case percent: {
          const next = bytes[p + 1]!
          if (next === char("b")) {
            s = this.balance(s, p + 2)
            if (s < 0) return -1
            p += 4
            continue
          }
          if (next === char("f")) {
            p += 2
            if (bytes[p] !== bracket) this.fail("missing '[' after '%f' in pattern")
            const ep = this.classEnd(p)
            const previous = s === this.start ? 0 : bytes[s - 1]!
            if (this.inBrackets(previous, p, ep - 1) || !this.inBrackets(bytes[s]!, p, ep - 1)) return -1
            p = ep
            continue
          }
          if (next >= 48 && next <= 57) {
            s = this.backReference(s, next)
            if (s < 0) return -1
            p += 2
            continue
          }
          break
        }
      }
      const ep = this.classEnd(p)
      const matches = s < this.end && this.single(bytes[s]!, p, ep)
      switch (bytes[ep]!) {
        case question: {
          if (matches) {
            const end = this.match(s + 1, ep + 1)
            if (end >= 0) return end
          }
          p = ep + 1
          continue
        }
        case star:
          return this.expandMost(s, p, ep)
        case plus:
          return matches ? this.expandMost(s + 1, p, ep) : -1
        case hyphen:
          return this.expandLeast(s, p, ep)
        default:
          if (!matches) return -1
          s++
          p = ep
      }
    }
  }

  private classEnd(p: number): number {
    const { bytes } = this
    const first = bytes[p++]!
    if (first === percent) {
      if (bytes[p] === 0) this.fail("malformed pattern (ends with '%')")
      return p + 1
    }
    if (first !== bracket) return p
    if (bytes[p] === caret) p++
    do {
      if (bytes[p] === 0) this.fail("malformed pattern (missing ']')")
      if (bytes[p++] === percent && bytes[p] !== 0) p++
    } while (bytes[p] !== bracketEnd)
    return p + 1
  }

  private single(c: number, p: number, ep: number): boolean {
    switch (this.bytes[p]!) {
      case dot:
        return true
      case percent:
        return inClass(c, this.bytes[p + 1]!)
      case bracket:
        return this.inBrackets(c, p, ep - 1)
      default:
        return this.bytes[p] === c
    }
  }

  /** `p` is at the opening bracket, `last` at the closing one. */
  private inBrackets(c: number, p: number, last: number): boolean {
    const { bytes } = this
    let positive = true
    if (bytes[p + 1] === caret) {
      positive = false
      p++
    }
    while (++p < last) {
      if (bytes[p] === percent) {
        p++
        if (inClass(c, bytes[p]!)) return positive
      } else if (bytes[p + 1] === hyphen && p + 2 < last) {
        p += 2
        if (bytes[p - 2]! <= c && c <= bytes[p]!) return positive
      } else if (bytes[p] === c) return positive
    }
    return !positive
  }

  private balance(s: number, p: number): number {
    const { bytes } = this
    if (bytes[p] === 0 || bytes[p + 1] === 0) this.fail("unbalanced pattern")
    if (bytes[s] !== bytes[p]) return -1
    const opening = bytes[p]!
    const closing = bytes[p + 1]!
    let nested = 1
    while (++s < this.end) {
      if (bytes[s] === closing) {
        if (--nested === 0) return s + 1
      } else if (bytes[s] === opening) nested++
    }
    return -1
  }

  private expandMost(s: number, p: number, ep: number): number {
    let count = 0
    while (s + count < this.end && this.single(this.bytes[s + count]!, p, ep)) count++
    this.steps += count >> 3
    for (; count >= 0; count--) {
      const end = this.match(s + count, ep + 1)
      if (end >= 0) return end
    }
    return -1
  }

  private expandLeast(s: number, p: number, ep: number): number {
    for (;;) {
      const end = this.match(s, ep + 1)
      if (end >= 0) return end
      if (s >= this.end || !this.single(this.bytes[s]!, p, ep)) return -1
      s++
    }
  }

  private startCapture(s: number, p: number, kind: number): number {
    if (this.level >= capturesMax) this.fail("too many captures")
    this.from[this.level] = s
    this.length[this.level] = kind
    this.level++
    const end = this.match(s, p)
    if (end < 0) this.level--
    return end
  }

  private endCapture(s: number, p: number): number {
    const index = this.captureToClose()
    this.length[index] = s - this.from[index]!
    const end = this.match(s, p)
    if (end < 0) this.length[index] = unfinished
    return end
  }

  private captureToClose(): number {
    for (let index = this.level - 1; index >= 0; index--) if (this.length[index] === unfinished) return index
    return this.fail("invalid pattern capture")
  }

  private backReference(s: number, digit: number): number {
    const index = digit - 49
    if (index < 0 || index >= this.level || this.length[index] === unfinished) this.fail("invalid capture index")
    const length = this.length[index]!
    if (length < 0 || this.end - s < length) return -1
    const from = this.from[index]!
    for (let i = 0; i < length; i++) if (this.bytes[from + i] !== this.bytes[s + i]) return -1
    return s + length
  }

  pushCapture(L: State, index: number, from: number, end: number): void {
    const { lua } = this.vm.wasm
    if (index >= this.level) {
      if (index !== 0) this.fail("invalid capture index")
      lua.lua_pushlstring(L, from, end - from)
      return
    }
    const length = this.length[index]!
    if (length === unfinished) this.fail("unfinished capture")
    if (length === positionCapture) lua.lua_pushnumber(L, this.from[index]! - this.start + 1)
    else lua.lua_pushlstring(L, this.from[index]!, length)
  }

  /** Pushes all captures, the whole match when there are none; `from` -1: then nothing. */
  pushCaptures(L: State, from: number, end: number): number {
    const count = this.level === 0 && from >= 0 ? 1 : this.level
    this.vm.wasm.lua.luaL_checkstack(L, count, this.vm.wasm.literal("too many captures"))
    for (let index = 0; index < count; index++) this.pushCapture(L, index, from, end)
    return count
  }
}

const isUpper = (c: number): boolean => c >= 65 && c <= 90
const isLower = (c: number): boolean => c >= 97 && c <= 122
const isDigit = (c: number): boolean => c >= 48 && c <= 57
const isAlpha = (c: number): boolean => isUpper(c) || isLower(c)

/** `%a` and its like; an upper-case letter is the complement. */
const inClass = (c: number, letter: number): boolean => {
  const lower = letter | 32
  let inside: boolean
  if (!isAlpha(letter)) return letter === c
  switch (String.fromCharCode(lower)) {
    case "a":
      inside = isAlpha(c)
      break
    case "c":
      inside = c < 32 || c === 127
      break
    case "d":
      inside = isDigit(c)
      break
    case "l":
      inside = isLower(c)
      break
    case "p":
      inside = c > 32 && c < 127 && !isAlpha(c) && !isDigit(c)
      break
    case "s":
      inside = c === 32 || (c >= 9 && c <= 13)
      break
    case "u":
      inside = isUpper(c)
      break
    case "w":
      inside = isAlpha(c) || isDigit(c)
      break
    case "x":
      inside = isDigit(c) || (c >= 65 && c <= 70) || (c >= 97 && c <= 102)
      break
    case "z":
      inside = c === 0
      break
    default:
      return letter === c
  }
  return isUpper(letter) ? !inside : inside
}
