/**
 * The parts of Lua's string library that are not Lua's own here: patterns, because a hostile one runs for years inside a
 * single C call that no hook interrupts, and what depends on the size of C's `long`, which is 64 bits for Redis and 32 in
 * WebAssembly.
 */
import { toInt64, toWord } from "./Format.ts"
import { Matcher } from "./Matcher.ts"
import type { Library } from "./Tables.ts"
import type { Vm } from "./Vm.ts"
import { globalsIndex, type State, Type } from "./Wasm.ts"

const percent = 37
const caret = 94
const specials = new Set(Buffer.from("^$*+?.([%-"))
const int32Limit = 2 ** 31

export const string = (vm: Vm): Library => {
  const { wasm } = vm
  const { lua } = wasm
  const original = {
    find: vm.original("string", "find"),
    format: vm.original("string", "format"),
    rep: vm.original("string", "rep"),
  }
  const matcher = new Matcher(vm)

  const optionalInteger = (L: State, index: number, otherwise: number): number =>
    lua.lua_type(L, index) <= Type.nil ? otherwise : clamp(lua.luaL_checknumber(L, index))

  const hasSpecials = (pattern: number): boolean => {
    const { bytes } = wasm
    for (let at = pattern; bytes[at] !== 0; at++) if (specials.has(bytes[at]!)) return true
    return false
  }

  const search = (L: State, find: boolean): number => {
    const subject = wasm.checkBytes(L, 1)
    const length = wasm.lastLength
    let pattern = wasm.checkBytes(L, 2)
    let start = optionalInteger(L, 3, 1)
    if (start < 0) start += length + 1
    start = Math.min(Math.max(start - 1, 0), length)
    if (find && (lua.lua_toboolean(L, 4) !== 0 || !hasSpecials(pattern))) return original.find(L)
    const anchored = wasm.bytes[pattern] === caret
    if (anchored) pattern++
    matcher.begin(L, subject, length)
    for (let from = subject + start; from <= subject + length; from++) {
      matcher.level = 0
      const end = matcher.match(from, pattern)
      if (end >= 0) {
        if (!find) return matcher.pushCaptures(L, from, end)
        lua.lua_pushnumber(L, from - subject + 1)
        lua.lua_pushnumber(L, end - subject)
        return matcher.pushCaptures(L, -1, -1) + 2
      }
      if (anchored) break
    }
    lua.lua_pushnil(L)
    return 1
  }

  const nextMatch = wasm.addFunctions([
    (L) => {
      const subject = wasm.toBytes(L, globalsIndex - 1)
      const length = wasm.lastLength
      const pattern = wasm.toBytes(L, globalsIndex - 2)
      matcher.begin(L, subject, length)
      for (let from = subject + lua.lua_tonumber(L, globalsIndex - 3); from <= subject + length; from++) {
        matcher.level = 0
        const end = matcher.match(from, pattern)
        if (end < 0) continue
        lua.lua_pushnumber(L, end - subject + (end === from ? 1 : 0))
        lua.lua_replace(L, globalsIndex - 3)
        return matcher.pushCaptures(L, from, end)
      }
      return 0
    },
  ])

  const gmatch = (L: State): number => {
    wasm.checkBytes(L, 1)
    wasm.checkBytes(L, 2)
    lua.lua_settop(L, 2)
    lua.lua_pushnumber(L, 0)
    lua.lua_pushcclosure(L, nextMatch, 3)
    return 1
  }

  return {
    find: (L) => search(L, true),
    match: (L) => search(L, false),
    gmatch,
    gfind: gmatch,
    gsub: (L) => substitute(vm, matcher, L),
    rep: (L) => {
      vm.checkTime(L)
      if (lua.lua_type(L, 1) === Type.string && lua.lua_objlen(L, 1) === 0 && lua.lua_isnumber(L, 2) !== 0) {
        wasm.pushString(L, "")
        return 1
      }
      return repeatLong(vm, L) ? 1 : original.rep(L)
    },
    format: (L) => {
      if (lua.lua_type(L, 1) === Type.string) widen(vm, L)
      return original.format(L)
    },
  }
}

/** Repetitions up to this size are made by Lua's own function, which adds piece after piece. */
const plainRepetitionBytesMax = 4096

/** string.rep of a large result, by doubling: 100 times faster for short pieces. False when it is none. */
const repeatLong = (vm: Vm, L: State): boolean => {
  const { wasm } = vm
  const { lua } = wasm
  if (lua.lua_type(L, 1) !== Type.string || lua.lua_isnumber(L, 2) === 0) return false
  const length = lua.lua_objlen(L, 1)
  const size = length * clamp(lua.lua_tonumber(L, 2))
  if (!(size > plainRepetitionBytesMax)) return false
  const target = size > wasm.memoryBytesMax ? 0 : lua.malloc(size)
  if (target === 0) {
    wasm.pushString(L, "not enough memory")
    return wasm.throwTop(L)
  }
  const source = wasm.toBytes(L, 1)
  wasm.bytes.copyWithin(target, source, source + length)
  for (let filled = length; filled < size; filled *= 2) {
    wasm.bytes.copyWithin(target + filled, target, target + Math.min(filled, size - filled))
  }
  try {
    lua.lua_pushlstring(L, target, size)
  } finally {
    lua.free(target)
  }
  return true
}

const clamp = (value: number): number => Math.max(-int32Limit, Math.min(int32Limit - 1, Math.trunc(value)))

/** What takes the place of a match, made from the pieces that Lua reads from argument 3. */
const substitute = (vm: Vm, matcher: Matcher, L: State): number => {
  const { wasm } = vm
  const { lua } = wasm
  const subject = wasm.checkBytes(L, 1)
  const length = wasm.lastLength
  let pattern = wasm.checkBytes(L, 2)
  const kind = lua.lua_type(L, 3)
  const countMax = lua.lua_type(L, 4) <= Type.nil ? length + 1 : clamp(lua.luaL_checknumber(L, 4))
  if (kind !== Type.number && kind !== Type.string && kind !== Type.function && kind !== Type.table) {
    wasm.argumentError(L, 3, "string/function/table expected")
  }
  const anchored = wasm.bytes[pattern] === caret
  if (anchored) pattern++
  const template = kind === Type.number || kind === Type.string ? wasm.toString(L, 3)! : undefined
  const isPlain = template !== undefined && !template.includes("%")
  const end = subject + length
  const pieces: Array<string> = []
  let size = 0
  const add = (piece: string): void => {
    pieces.push(piece)
    size += piece.length
    if (size > wasm.memoryBytesMax) {
      wasm.pushString(L, "not enough memory")
      wasm.throwTop(L)
    }
  }
  let copied = subject
  let from = subject
  let count = 0
  matcher.begin(L, subject, length)
  while (count < countMax) {
    matcher.level = 0
    const matchEnd = matcher.match(from, pattern)
    if (matchEnd >= 0) {
      count++
      if (copied < from) add(wasm.slice(copied, from - copied))
      if (isPlain) add(template)
      else if (template !== undefined) expand(vm, matcher, L, template, from, matchEnd, add)
      else add(replacement(vm, matcher, L, kind, from, matchEnd))
      copied = matchEnd
      // The function may have matched patterns of its own.
      matcher.begin(L, subject, length)
    }
    if (matchEnd > from) from = matchEnd
    else if (from < end) from++
    else break
    if (anchored) break
  }
  if (copied < end) add(wasm.slice(copied, end - copied))
  wasm.pushString(L, pieces.length === 1 ? pieces[0]! : pieces.join(""))
  lua.lua_pushnumber(L, count)
  return 2
}

/** A replacement text with `%0` to `%9` in it. */
const expand = (
  vm: Vm,
  matcher: Matcher,
  L: State,
  template: string,
  from: number,
  end: number,
  add: (piece: string) => void,
): void => {
  let text = ""
  for (let i = 0; i < template.length; i++) {
    const code = template.charCodeAt(i)
    if (code !== percent) {
      text += template[i]
      continue
    }
    const next = template.charCodeAt(++i)
    if (next >= 48 && next <= 57) {
      if (next === 48) text += vm.wasm.slice(from, end - from)
      else {
        matcher.pushCapture(L, next - 49, from, end)
        text += vm.wasm.toString(L, -1)!
        vm.wasm.lua.lua_settop(L, -2)
      }
    } else text += Number.isNaN(next) ? "\0" : template[i]
  }
  add(text)
}

const replacement = (vm: Vm, matcher: Matcher, L: State, kind: number, from: number, end: number): string => {
  const { wasm } = vm
  const { lua } = wasm
  if (kind === Type.table) {
    matcher.pushCapture(L, 0, from, end)
    lua.lua_gettable(L, 3)
  } else {
    lua.lua_pushvalue(L, 3)
    const count = matcher.pushCaptures(L, from, end)
    lua.lua_call(L, count, 1)
  }
  let text: string
  if (lua.lua_toboolean(L, -1) === 0) text = wasm.slice(from, end - from)
  else if (lua.lua_isstring(L, -1) !== 0) text = wasm.toString(L, -1)!
  else return wasm.raise(L, `invalid replacement value (a ${typeNames[lua.lua_type(L, -1)]})`)
  lua.lua_settop(L, -2)
  return text
}

const typeNames = ["nil", "boolean", "userdata", "number", "string", "table", "function", "userdata", "thread"]

const conversion = /%(?:%|([-+ #0]*)(\d{0,2})(?:\.(\d{0,2}))?([a-zA-Z]))/g

/**
 * Prepares a call of string.format whose whole numbers do not fit C's 32-bit `long`: such a number becomes a finished text
 * and its conversion a `%s`. Calls that need nothing of it, or that will fail anyway, are left as they are.
 */
const widen = (vm: Vm, L: State): void => {
  const { wasm } = vm
  const { lua } = wasm
  const pointer = wasm.toBytes(L, 1)
  const length = wasm.lastLength
  const from = wasm.bytes.subarray(pointer, pointer + length).indexOf(percent)
  if (from < 0) return
  const format = wasm.slice(pointer, length)
  let argument = 1
  let changed = false
  const widened = format.replace(
    conversion,
    (whole, flags: string, width: string, precision: string, letter: string) => {
      if (letter === undefined) return whole
      argument++
      if (!"dioxXu".includes(letter) || lua.lua_isnumber(L, argument) === 0) return whole
      const value = Math.trunc(lua.lua_tonumber(L, argument))
      const isSigned = letter === "d" || letter === "i"
      if (value < int32Limit && value >= (isSigned ? -int32Limit : 0)) return whole
      changed = true
      wasm.pushString(L, integerText(value, flags, Number(width), precision, letter))
      lua.lua_replace(L, argument)
      return "%s"
    },
  )
  if (!changed) return
  wasm.pushString(L, widened)
  lua.lua_replace(L, 1)
}

const integerText = (
  value: number,
  flags: string,
  width: number,
  precision: string | undefined,
  letter: string,
): string => {
  const isSigned = letter === "d" || letter === "i"
  const clipped = isSigned ? BigInt(toInt64(value)) : toWord(value)
  const radix = letter === "o" ? 8 : letter === "x" || letter === "X" ? 16 : 10
  let digits = (clipped < 0n ? -clipped : clipped).toString(radix)
  if (letter === "X") digits = digits.toUpperCase()
  if (precision !== undefined) {
    // Of nothing with no digits wanted, nothing is left.
    digits = Number(precision) === 0 && clipped === 0n ? "" : digits.padStart(Number(precision), "0")
  }
  const prefix = flags.includes("#")
    ? radix === 16
      ? clipped === 0n
        ? ""
        : `0${letter}`
      : radix === 8 && !digits.startsWith("0")
        ? "0"
        : ""
    : ""
  const sign = !isSigned ? "" : clipped < 0n ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : ""
  const head = sign + prefix
  if (flags.includes("-")) return (head + digits).padEnd(width)
  if (flags.includes("0") && precision === undefined) return head + digits.padStart(width - head.length, "0")
  return (head + digits).padStart(width)
}
