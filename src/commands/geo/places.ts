/** How requests and replies spell places, distances and units. */
import { formatLongDouble, longDoubleOf } from "../../bytes/Numbers.ts"
import { isPlace, type Place } from "../../bytes/Geohash.ts"
import * as Reply from "../../codec/Reply.ts"
import type { Args } from "../../command/Args.ts"
import { InvalidArea, InvalidPlace } from "../../errors/GeoErrors.ts"

const metersPerUnit: ReadonlyArray<readonly [word: string, meters: number]> = [
  ["M", 1],
  ["KM", 1000],
  ["FT", 0.3048],
  ["MI", 1609.34],
]

/** The length of a unit in meters. */
export const parseUnit = (args: Args): number => {
  for (const [word, meters] of metersPerUnit) if (args.option(word)) return meters
  return args.fail(InvalidArea.unit)
}

/** C's `%.<decimals>f`. JavaScript rounds a tie up, C to the even digit. */
export const formatFixed = (value: number, decimals: number): string => {
  if (value - value !== 0) return value > 0 ? "inf" : "-inf"
  const sign = value < 0 || Object.is(value, -0) ? "-" : ""
  const magnitude = Math.abs(value)
  if (magnitude >= 1e21) return `${sign}${BigInt(magnitude)}.${"0".repeat(decimals)}`
  const rounded = magnitude.toFixed(decimals)
  // A tie has one digit more, a 5, so it is a multiple of this power of two.
  const halves = magnitude * 2 ** (decimals + 1)
  if (!Number.isInteger(halves) || halves % 2 === 0) return sign + rounded
  const exact = magnitude.toFixed(decimals + 1)
  return sign + (Number(exact.at(-2)) % 2 === 0 ? exact.slice(0, -1) : rounded)
}

/** `longitude latitude`, within the grid. */
export const parsePlace = (args: Args): Place => {
  const place: Place = { longitude: args.float(), latitude: args.float() }
  if (!isPlace(place)) {
    args.fail(InvalidPlace.of(formatFixed(place.longitude, 6), formatFixed(place.latitude, 6)))
  }
  return place
}

const distanceDecimals = 4

/** A distance is answered as text in both protocol versions. */
export const distanceReply = (distance: number): Reply.Reply => Reply.bulk(formatFixed(distance, distanceDecimals))

const coordinate = (value: number): Reply.Reply => Reply.doubleAs(value, formatLongDouble(longDoubleOf(value)))

export const placeReply = ({ longitude, latitude }: Place): Reply.Reply =>
  Reply.array([coordinate(longitude), coordinate(latitude)])
