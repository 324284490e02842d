/**
 * Numbers exactly as Redis reads and prints them: 64-bit integers, doubles, and the 80-bit long doubles of INCRBYFLOAT.
 *
 * The idea to hold: reading is strict. What Redis refuses ("+1", "01", " 1" as an integer; "nan" or " 1" as a float) gives
 * `undefined`, and the caller knows which error that is. Which digits are printed follows C's printf, not JavaScript's
 * shortest form: 0.1 is a score of 0.10000000000000001.
 *
 * Integers are JS numbers up to 2^53 - 1 and bigints beyond, never a bigint that would fit a number.
 */

export const int64Max = 9223372036854775807n
const int64Min = -9223372036854775808n
const uint64Max = 18446744073709551615n
const zeroCode = 48
const nineCode = 57
const minusCode = 45

const narrow = (value: bigint): number | bigint =>
  value <= 9007199254740991n && value >= -9007199254740991n ? Number(value) : value

/**
 * A 64-bit signed integer in the one spelling Redis accepts (util.c string2ll): no spaces, no plus, no leading zeros, no
 * "-0". Anything else, and what is out of range, is `undefined`.
 */
export const parseInteger = (s: string): number | bigint | undefined => {
  const length = s.length
  if (length === 0 || length > 20) return undefined
  const negative = s.charCodeAt(0) === minusCode
  const start = negative ? 1 : 0
  if (start === length) return undefined
  if (s.charCodeAt(start) === zeroCode) return length === 1 ? 0 : undefined
  let value = 0
  for (let i = start; i < length; i++) {
    const code = s.charCodeAt(i)
    if (code < zeroCode || code > nineCode) return undefined
    value = value * 10 + (code - zeroCode)
  }
  // 15 digits are exact in a double; longer ones are read again.
  if (length - start <= 15) return negative ? -value : value
  const exact = BigInt(s)
  return exact > int64Max || exact < int64Min ? undefined : narrow(exact)
}

/** As `parseInteger`, for counts and indexes: what a number cannot hold exactly becomes the nearest number it can. */
export const parseSafeInteger = (s: string): number | undefined => {
  const value = parseInteger(s)
  if (typeof value !== "bigint") return value
  return value > 0n ? Number.MAX_SAFE_INTEGER : -Number.MAX_SAFE_INTEGER
}

/**
 * A 64-bit unsigned integer as stream ids spell it (util.c string2ull): beside `parseInteger`'s spelling also what C's
 * strtoull takes, so white space, a plus and leading zeros. A minus is taken by strtoull too, and wraps around, but only
 * where the strict reading does not see a negative number first ("-01" is 2^64 - 1, "-1" is refused).
 */
export const parseUnsigned64 = (s: string): number | bigint | undefined => {
  const strict = parseInteger(s)
  if (strict !== undefined) return strict < 0 ? undefined : strict
  const parts = /^[ \t\n\v\f\r]*([+-]?)([0-9]+)$/.exec(s)
  if (parts === null) return undefined
  const magnitude = BigInt(parts[2]!)
  if (magnitude > uint64Max) return undefined
  return narrow(parts[1] === "-" ? BigInt.asUintN(64, -magnitude) : magnitude)
}

/** The sum, or `undefined` where it leaves the range of a 64-bit signed integer. */
export const addInt64 = (a: number | bigint, b: number | bigint): number | bigint | undefined => {
  if (typeof a === "number" && typeof b === "number") {
    const sum = a + b
    if (Number.isSafeInteger(sum)) return sum
  }
  const exact = BigInt(a) + BigInt(b)
  return exact > int64Max || exact < int64Min ? undefined : narrow(exact)
}

// --- doubles -------------------------------------------------------------------------------------------------------

/** A binary floating point number `mantissa * 2^exponent`; infinite where `exponent` is Infinity. */
export interface LongDouble {
  readonly negative: boolean
  readonly mantissa: bigint
  readonly exponent: number
}

/** The precision and range of a binary format: bits of the mantissa, and exponents of its last bit. */
interface Format {
  readonly bits: number
  readonly exponentMin: number
  readonly exponentMax: number
}
const double64: Format = { bits: 53, exponentMin: -1074, exponentMax: 971 }
/** x87 extended precision, what `long double` is on x86-64. */
const extended80: Format = { bits: 64, exponentMin: -16445, exponentMax: 16320 }

const bitLength = (value: bigint): number => {
  const hex = value.toString(16)
  return value === 0n ? 0 : hex.length * 4 - Math.clz32(parseInt(hex[0]!, 16)) + 28
}

/** Nearest number of `format` to `mantissa * 2^exponent`, ties to even; `inexact` says that more bits follow below. */
const round = (format: Format, negative: boolean, mantissa: bigint, exponent: number, inexact: boolean): LongDouble => {
  if (mantissa === 0n) return { negative, mantissa, exponent: 0 }
  const drop = Math.max(bitLength(mantissa) - format.bits, format.exponentMin - exponent)
  if (drop > 0) {
    const shift = BigInt(drop)
    const kept = mantissa >> shift
    const rest = mantissa - (kept << shift)
    const half = 1n << (shift - 1n)
    const up = rest > half || (rest === half && (inexact || (kept & 1n) === 1n))
    mantissa = up ? kept + 1n : kept
    exponent += drop
  }
  if (bitLength(mantissa) + exponent > format.bits + format.exponentMax) {
    return infinity(negative)
  }
  return { negative, mantissa, exponent }
}

/** What strtod reads: sign, then decimal, hexadecimal or infinite. */
const floatSyntax =
  /^([+-]?)(?:(?:(\d+)\.?(\d*)|\.(\d+))(?:e([+-]?\d+))?|0x(?:([\da-f]+)\.?([\da-f]*)|\.([\da-f]+))(?:p([+-]?\d+))?|(inf(?:inity)?))$/i

const pow10 = (exponent: number): bigint => 10n ** BigInt(exponent)

/**
 * C's strtold or strtod over the whole of `s`, without leading white space. `undefined` where C would not read it all.
 * `saturate` says what a number too large or too small for the format (C's ERANGE) is: infinity or zero, or `undefined`.
 */
const parseFloating = (format: Format, s: string, saturate: boolean): LongDouble | undefined => {
  const parts = floatSyntax.exec(s)
  if (parts === null) return undefined
  const negative = parts[1] === "-"
  if (parts[10] !== undefined) return infinity(negative)
  const hexadecimal = parts[6] !== undefined || parts[8] !== undefined
  const whole = (hexadecimal ? parts[6] : parts[2]) ?? ""
  const fraction = (hexadecimal ? (parts[7] ?? parts[8]) : (parts[3] ?? parts[4])) ?? ""
  const digits = BigInt((hexadecimal ? "0x0" : "0") + whole + fraction)
  if (digits === 0n) return zero(negative)
  const power = Number((hexadecimal ? parts[9] : parts[5]) ?? "0")
  const result = hexadecimal
    ? fromHexadecimal(format, negative, digits, power - 4 * fraction.length)
    : fromDecimal(format, negative, digits, power - fraction.length)
  return saturate || (result.mantissa !== 0n && result.exponent !== Infinity) ? result : undefined
}

const infinity = (negative: boolean): LongDouble => ({ negative, mantissa: 1n, exponent: Infinity })
const zero = (negative: boolean): LongDouble => ({ negative, mantissa: 0n, exponent: 0 })

const fromHexadecimal = (format: Format, negative: boolean, digits: bigint, exponent: number): LongDouble => {
  if (exponent + bitLength(digits) < format.exponentMin - 1) return zero(negative)
  if (exponent > format.exponentMax + format.bits) return infinity(negative)
  return round(format, negative, digits, exponent, false)
}

const fromDecimal = (format: Format, negative: boolean, digits: bigint, power: number): LongDouble => {
  const magnitude = power + digits.toString().length
  // Outside of these powers of ten every format here is infinite or zero, and computing the power would know no limit.
  if (magnitude > 4940) return infinity(negative)
  if (magnitude < -4960) return zero(negative)
  if (power >= 0) return round(format, negative, digits * pow10(power), 0, false)
  const divisor = pow10(-power)
  const shift = Math.max(0, format.bits + 2 + bitLength(divisor) - bitLength(digits))
  const dividend = digits << BigInt(shift)
  const quotient = dividend / divisor
  return round(format, negative, quotient, -shift, quotient * divisor !== dividend)
}

const toNumber = ({ negative, mantissa, exponent }: LongDouble): number => {
  // Two steps, because 2^-1074 and 2^971 are doubles but the mantissa scaled at once by a larger power is not.
  const magnitude = exponent === Infinity ? Infinity : Number(mantissa) * 2 ** exponent
  return negative ? -magnitude : magnitude
}

const isDecimalCode = (code: number): boolean =>
  (code >= zeroCode && code <= nineCode) ||
  code === 46 ||
  code === 43 ||
  code === minusCode ||
  code === 101 ||
  code === 69

const isDecimal = (s: string): boolean => {
  for (let i = 0; i < s.length; i++) if (!isDecimalCode(s.charCodeAt(i))) return false
  return true
}

/**
 * A double as Redis takes a score or a timeout (object.c getDoubleFromObject): whatever strtod reads to the end,
 * hexadecimal floats and "inf" in any case too. `undefined` for "nan", the empty string, leading white space, and what
 * overflows or vanishes to zero.
 */
export const parseDouble = (s: string): number | undefined => {
  const length = s.length
  if (length === 0) return undefined
  if (!isDecimal(s)) {
    const value = parseFloating(double64, s, false)
    return value === undefined ? undefined : toNumber(value)
  }
  // Among strings of these chars, JavaScript and strtod read the same ones.
  const value = +s
  if (value !== 0) return value - value === 0 ? value : undefined
  return /^[+-]?0*\.?0*(?:e|$)/i.test(s) ? value : undefined
}

/**
 * A double as the bounds of score ranges are read (t_zset.c zslParseRange), a C string by plain strtod: up to the first NUL
 * byte, leading white space allowed, nothing at all is 0, and what overflows is infinite.
 */
export const parseDoubleLoosely = (s: string): number | undefined => {
  const nul = s.indexOf("\0")
  const text = nul < 0 ? s : s.slice(0, nul)
  if (text === "") return 0
  if (isDecimal(text)) {
    // Among strings of these chars, JavaScript and strtod read the same ones, at a thirtieth of the cost.
    const value = +text
    return Number.isNaN(value) ? undefined : value
  }
  const value = parseFloating(double64, text.replace(/^[ \t\n\v\f\r]+/, ""), true)
  return value === undefined ? undefined : toNumber(value)
}

/** A double as Redis prints it in a reply: `%.17g`, with "inf" and "-inf". */
export const formatDouble = (value: number): string => {
  if (Number.isSafeInteger(value)) return value === 0 && 1 / value < 0 ? "-0" : `${value}`
  if (value - value !== 0) return value === Infinity ? "inf" : value === -Infinity ? "-inf" : "nan"
  // Sixteenths below 10^11 have at most 15 digits, where the shortest form is the exact one: 80 ns instead of 390.
  if (Number.isInteger(value * 16) && value < 1e11 && value > -1e11) return `${value}`
  const scientific = toScientific(value)
  const mark = scientific.indexOf("e")
  const exponent = Number(scientific.slice(mark + 1))
  const digits = trimZeros(scientific.slice(0, mark))
  const sign = value < 0 ? "-" : ""
  if (exponent < -4 || exponent > 16) {
    const size = Math.abs(exponent)
    return `${digits}e${exponent < 0 ? "-" : "+"}${size < 10 ? "0" : ""}${size}`
  }
  const all = (value < 0 ? digits.slice(1) : digits).replace(".", "")
  if (exponent < 0) return `${sign}0.${"0".repeat(-exponent - 1)}${all}`
  const whole = all.slice(0, exponent + 1).padEnd(exponent + 1, "0")
  return all.length > exponent + 1 ? `${sign}${whole}.${all.slice(exponent + 1)}` : sign + whole
}

/** More digits than a double with 25 binary places has; JavaScript allows 100. */
const digitsExact = 60

/** C's `%.16e`. JavaScript rounds a tie up, C to the even digit. */
const toScientific = (value: number): string => {
  const rounded = value.toExponential(16)
  // A tie has 18 digits ending in 5; a fraction of more than 25 binary places has more digits than that.
  if (!Number.isInteger(value * 2 ** 25)) return rounded
  const exact = value.toExponential(digitsExact)
  const point = exact.indexOf(".")
  const tie = /^50*e/.test(exact.slice(point + 17))
  if (!tie || exact.charCodeAt(point + 16) % 2 === 1) return rounded
  return exact.slice(0, point + 17) + exact.slice(exact.indexOf("e"))
}

/** Without the zeros at the end of the fraction, nor a point that would then end it. */
const trimZeros = (decimal: string): string => {
  if (!decimal.includes(".")) return decimal
  let end = decimal.length
  while (decimal.charCodeAt(end - 1) === zeroCode) end--
  if (decimal.charCodeAt(end - 1) === 46) end--
  return decimal.slice(0, end)
}

// --- long doubles --------------------------------------------------------------------------------------------------

/** Longest text Redis reads as a long double, exclusive (util.h MAX_LONG_DOUBLE_CHARS). */
const longDoubleCharsMax = 5 * 1024

/** A number as INCRBYFLOAT reads it (util.c string2ld): `parseDouble`'s grammar in extended precision, "inf" included. */
export const parseLongDouble = (s: string): LongDouble | undefined =>
  s.length >= longDoubleCharsMax ? undefined : parseFloating(extended80, s, false)

export const isFiniteLongDouble = (value: LongDouble): boolean => value.exponent !== Infinity

/** The sum rounded to extended precision; `undefined` where it is infinite or not a number. */
export const addLongDouble = (a: LongDouble, b: LongDouble): LongDouble | undefined => {
  if (a.exponent === Infinity || b.exponent === Infinity) return undefined
  const exponent = Math.min(a.exponent, b.exponent)
  const left = a.mantissa << BigInt(a.exponent - exponent)
  const right = b.mantissa << BigInt(b.exponent - exponent)
  const sum = (a.negative ? -left : left) + (b.negative ? -right : right)
  const result = round(extended80, sum < 0n, sum < 0n ? -sum : sum, exponent, false)
  return isFiniteLongDouble(result) ? result : undefined
}

/** The least integer that is not below `value` times `factor`, a product of extended precision; `undefined` where that is infinite. */
export const ceilProduct = (value: LongDouble, factor: bigint): bigint | undefined => {
  const product = round(extended80, value.negative, value.mantissa * factor, value.exponent, false)
  const { negative, mantissa, exponent } = product
  if (!isFiniteLongDouble(product)) return undefined
  if (exponent >= 0) return (negative ? -mantissa : mantissa) << BigInt(exponent)
  // Shifting rounds down, also below nought.
  return -((negative ? mantissa : -mantissa) >> BigInt(-exponent))
}

const decimals = 17
const scale17 = pow10(decimals)

/**
 * A long double as INCRBYFLOAT stores and answers it (util.c ld2string for people): `%.17Lf` without trailing zeros, never
 * an exponent, so up to 4,950 chars.
 */
export const formatLongDouble = ({ negative, mantissa, exponent }: LongDouble): string => {
  if (exponent === Infinity) return negative ? "-inf" : "inf"
  const sign = negative ? "-" : ""
  if (exponent >= 0) return mantissa === 0n ? "0" : `${sign}${mantissa << BigInt(exponent)}`
  const shift = BigInt(-exponent)
  const scaled = mantissa * scale17
  let units = scaled >> shift
  const rest = scaled - (units << shift)
  const half = 1n << (shift - 1n)
  if (rest > half || (rest === half && (units & 1n) === 1n)) units++
  if (units === 0n) return "0"
  const digits = units.toString().padStart(decimals + 1, "0")
  return sign + trimZeros(`${digits.slice(0, -decimals)}.${digits.slice(-decimals)}`)
}

const bits = new DataView(new ArrayBuffer(8))

/** The same number; a double always fits. GEOPOS prints its coordinates as long doubles. */
export const longDoubleOf = (value: number): LongDouble => {
  if (value - value !== 0) return infinity(value < 0)
  bits.setFloat64(0, value)
  const word = bits.getBigUint64(0)
  const biased = Number((word >> 52n) & 2047n)
  const fraction = word & 0xfffffffffffffn
  const mantissa = biased === 0 ? fraction : fraction | (1n << 52n)
  return { negative: word >> 63n === 1n, mantissa, exponent: Math.max(biased, 1) - 1075 }
}
