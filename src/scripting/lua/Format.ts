/**
 * Numbers as C casts them, and as its `printf` writes them with `%g`: what Lua (`%.14g`), redis.call (`%.17g`) and cjson put on the wire.
 * JavaScript prints the shortest digits that read back as the same number, which is another text.
 */

/** `%.{precision}g` for a precision of 1 to 17. */
export const general = (value: number, precision: number): string => {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? nan(value) : value < 0 ? "-inf" : "inf"
  if (value === 0) return Object.is(value, -0) ? "-0" : "0"
  const scientific = rounded(value, precision)
  const at = scientific.indexOf("e")
  const exponent = Number(scientific.slice(at + 1))
  if (exponent < -4 || exponent >= precision) {
    const digits = Math.abs(exponent)
    return `${trimmed(scientific.slice(0, at))}e${exponent < 0 ? "-" : "+"}${digits < 10 ? "0" : ""}${digits}`
  }
  return trimmed(positional(scientific.slice(0, at), exponent))
}

/** `d.ddde+x` with `precision` digits. JavaScript rounds what lies exactly between two texts away from zero, C to even. */
const rounded = (value: number, precision: number): string => {
  const scientific = value.toExponential(precision - 1)
  const exact = value.toExponential(digitsMax)
  const next = exact.indexOf(".") + precision
  if (!/^50*e/.test(exact.slice(next))) return scientific
  const last = exact.charCodeAt(next - 1)
  const even = (last === dot ? exact.charCodeAt(next - 2) : last) % 2 === 0
  return even
    ? (precision === 1 ? exact.slice(0, next - 1) : exact.slice(0, next)) + exact.slice(exact.indexOf("e"))
    : scientific
}

/** The most that JavaScript prints; what is still undecided after so many digits does not come from a double. */
const digitsMax = 100
const dot = 46

/** Moves the point of `d.ddd` by `exponent` places. */
const positional = (mantissa: string, exponent: number): string => {
  const sign = mantissa.startsWith("-") ? "-" : ""
  const digits = mantissa.slice(sign.length).replace(".", "")
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${digits}`
  const whole = digits.slice(0, exponent + 1).padEnd(exponent + 1, "0")
  return digits.length > exponent + 1 ? `${sign}${whole}.${digits.slice(exponent + 1)}` : sign + whole
}

/** Without the zeros at the end of a fraction. */
const trimmed = (digits: string): string => (digits.includes(".") ? digits.replace(/\.?0+$/, "") : digits)

const cell = new Float64Array(1)
const cellWords = new Uint32Array(cell.buffer)

/** C prints the sign of what is not a number; on x86, 0/0 has it set. */
const nan = (value: number): string => {
  cell[0] = value
  return cellWords[1]! >>> 31 === 1 ? "-nan" : "nan"
}

/** A whole number below this has the same digits in JavaScript and with `%.17g`. */
const plainMax = 1e15

/** `%.17g`: how redis.call turns a Lua number into an argument. */
export const argument = (value: number): string =>
  Number.isInteger(value) && value < plainMax && value > -plainMax && value !== 0 ? String(value) : general(value, 17)

const int64Limit = 2 ** 63

/** As C casts a double to 64 bits on x86: what does not fit becomes the smallest number. */
export const toInt64 = (value: number): number =>
  value < int64Limit && value >= -int64Limit ? Math.trunc(value) : -int64Limit

/** As C casts a double to 64 bits on x86, negative ones by way of a signed integer. */
export const toWord = (value: number): bigint => {
  if (Number.isNaN(value) || value < -int64Limit) return 2n ** 63n
  if (value >= 2 ** 64) return 0n
  return BigInt.asUintN(64, BigInt(Math.trunc(value)))
}

const int32Limit = 2 ** 31

/** The same for 32 bits. */
export const toInt32 = (value: number): number =>
  value < int32Limit && value > -int32Limit - 1 ? Math.trunc(value) : -int32Limit
