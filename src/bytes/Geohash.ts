/**
 * Places on earth as numbers: the 52-bit cells that sorted sets keep as scores, the geohash texts of geohash.org, distances,
 * and which cells a search has to look into. Agrees with Redis to the last digit: where a formula could be written in other
 * ways, it is written in the order of operations whose rounding Redis has.
 *
 * The idea to hold: a cell is a column (longitude) and a row (latitude) of a grid of 2^step by 2^step; interleaving their bits
 * gives a number in which all places of a cell of any coarser grid are one interval. A search by distance is therefore a
 * handful of intervals of scores, and then a check of each place found.
 */

export interface Place {
  readonly longitude: number
  readonly latitude: number
}

/** What to search: everything at most `radius` away, or in a box with sides along the meridians. `unitMeters` is the unit. */
export type Area = { readonly center: Place; readonly unitMeters: number } & (
  | { readonly shape: "circle"; readonly radius: number }
  | { readonly shape: "box"; readonly width: number; readonly height: number }
)

/** Scores from `min` up to, not including, `max`. */
export interface ScoreInterval {
  readonly min: number
  readonly max: number
}

const longitudeMax = 180
/** Where the Mercator projection becomes a square. */
const latitudeMax = 85.05112878
const stepMax = 26
const earthRadiusMeters = 6372797.560856
const mercatorMaxMeters = 20037726.37
const radiansPerDegree = Math.PI / 180
const alphabet = "0123456789bcdefghjkmnpqrstuvwxyz"
const textLength = 11

export const isPlace = ({ longitude, latitude }: Place): boolean =>
  longitude >= -longitudeMax && longitude <= longitudeMax && latitude >= -latitudeMax && latitude <= latitudeMax

const radians = (degrees: number): number => degrees * radiansPerDegree
const degrees = (radians: number): number => radians / radiansPerDegree

/** The 14 low bits of `value`, each followed by a zero. */
const spread = (value: number): number => {
  let bits = value & 0x3fff
  bits = (bits | (bits << 8)) & 0x00ff00ff
  bits = (bits | (bits << 4)) & 0x0f0f0f0f
  bits = (bits | (bits << 2)) & 0x33333333
  return (bits | (bits << 1)) & 0x55555555
}

/** Every second of the low 26 bits of `value`. */
const gather = (value: number): number => {
  let bits = value & 0x1555555
  bits = (bits | (bits >>> 1)) & 0x33333333
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f
  bits = (bits | (bits >>> 4)) & 0x00ff00ff
  return (bits | (bits >>> 8)) & 0x1fff
}

/** Column and row have up to 27 bits: the outermost meridian and parallel lie one past the grid. */
const interleave = (column: number, row: number): number =>
  (spread(row >>> 13) | (spread(column >>> 13) << 1)) * 2 ** 26 +
  (spread(row & 0x1fff) | (spread(column & 0x1fff) << 1))

const columnOf = (longitude: number, step: number): number =>
  Math.floor(((longitude + longitudeMax) / (2 * longitudeMax)) * 2 ** step)
const rowOf = (latitude: number, step: number, max: number): number =>
  Math.floor(((latitude + max) / (2 * max)) * 2 ** step)

/** The score of a place. */
export const encode = ({ longitude, latitude }: Place): number =>
  interleave(columnOf(longitude, stepMax), rowOf(latitude, stepMax, latitudeMax))

/** The middle of the cell that a score stands for. Any score stands for one, however it came into the sorted set. */
export const decode = (score: number): Place => {
  const { column, row } = score >= 0 && score < 2 ** 52 ? cellOf(Math.floor(score)) : foreignCellOf(score)
  const longitude = (west(column, stepMax) + west(column + 1, stepMax)) / 2
  const latitude = (south(row, stepMax) + south(row + 1, stepMax)) / 2
  return {
    longitude: Math.max(-longitudeMax, Math.min(longitudeMax, longitude)),
    latitude: Math.max(-latitudeMax, Math.min(latitudeMax, latitude)),
  }
}

const cellOf = (score: number): { readonly column: number; readonly row: number } => {
  const high = Math.floor(score / 2 ** 26)
  const low = score % 2 ** 26
  return {
    column: gather(high >>> 1) * 2 ** 13 + gather(low >>> 1),
    row: gather(high) * 2 ** 13 + gather(low),
  }
}

/** A score that is no cell of ours, as the 64 bits that a conversion on x86-64 makes of it. */
const foreignCellOf = (score: number): { readonly column: number; readonly row: number } => {
  let bits = score >= 2 ** 64 ? 0n : score < -(2 ** 63) ? 1n << 63n : BigInt.asUintN(64, BigInt(Math.trunc(score)))
  let column = 0
  let row = 0
  for (let weight = 1; bits > 0n; weight *= 2, bits >>= 2n) {
    if (bits & 1n) row += weight
    if (bits & 2n) column += weight
  }
  return { column, row }
}

/** The western edge of a column, and the southern one of a row, in degrees. */
const west = (column: number, step: number): number => -longitudeMax + (column / 2 ** step) * (2 * longitudeMax)
const south = (row: number, step: number): number => -latitudeMax + (row / 2 ** step) * (2 * latitudeMax)

/** The text that geohash.org uses for a place: its grid reaches from pole to pole. */
export const toText = ({ longitude, latitude }: Place): string => {
  const column = columnOf(longitude, stepMax)
  const row = rowOf(latitude, stepMax, 90)
  let text = ""
  // Ten letters take 50 of the 52 bits, from the highest; for an eleventh there are not enough, so it is always the first letter.
  for (let shift = 24; shift >= 4; shift -= 5) {
    const columns = (column >>> (shift - 3)) & 31
    const rows = (row >>> (shift - 3)) & 31
    const pair = spread(rows) | (spread(columns) << 1)
    text += alphabet[pair >>> 5]! + alphabet[pair & 31]!
  }
  return text + alphabet[0]!.repeat(textLength - text.length)
}

const latitudeDistance = (from: number, to: number): number => earthRadiusMeters * Math.abs(radians(to) - radians(from))

/**
 * Meters along a great circle (haversine). Differs: sine and arc sine are JavaScript's, so that about one result in ten is off
 * by one in its 17th digit from what redis-server makes of its C library's; GEOSEARCHSTORE STOREDIST alone shows so many.
 */
export const distance = (from: Place, to: Place): number => {
  const v = Math.sin((radians(to.longitude) - radians(from.longitude)) / 2)
  if (v === 0) return latitudeDistance(from.latitude, to.latitude)
  const fromRadians = radians(from.latitude)
  const toRadians = radians(to.latitude)
  const u = Math.sin((toRadians - fromRadians) / 2)
  const a = u * u + Math.cos(fromRadians) * Math.cos(toRadians) * v * v
  return 2 * earthRadiusMeters * Math.asin(Math.sqrt(a))
}

/** The distance from the center in meters, or absent when `place` is outside. */
export const distanceWithin = (area: Area, place: Place): number | undefined => {
  if (area.shape === "circle") {
    const meters = distance(area.center, place)
    return meters > area.radius * area.unitMeters ? undefined : meters
  }
  if (latitudeDistance(place.latitude, area.center.latitude) > (area.height * area.unitMeters) / 2) return undefined
  const aside: Place = { longitude: area.center.longitude, latitude: place.latitude }
  if (distance(place, aside) > (area.width * area.unitMeters) / 2) return undefined
  return distance(area.center, place)
}

/** The grid whose cells are about as large as the area; coarser towards the poles, where columns are narrow. */
const stepOf = (radiusMeters: number, latitude: number): number => {
  if (radiusMeters === 0) return stepMax
  let step = 1
  for (let meters = radiusMeters; meters < mercatorMaxMeters; meters *= 2) step++
  step -= 2
  if (Math.abs(latitude) > 66) step--
  if (Math.abs(latitude) > 80) step--
  return Math.max(1, Math.min(stepMax, step))
}

/** The directions in the order in which the cells are searched: that of the results, where nobody asked for another. */
const directions: ReadonlyArray<readonly [east: -1 | 0 | 1, north: -1 | 0 | 1]> = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
]

/** The intervals of scores in which everything within `area` lies: the cell of its center and those around it that matter. */
export const intervals = (area: Area): Array<ScoreInterval> => {
  const { longitude, latitude } = area.center
  const halfHeight = area.unitMeters * (area.shape === "circle" ? area.radius : area.height / 2)
  const halfWidth = area.unitMeters * (area.shape === "circle" ? area.radius : area.width / 2)
  const radiusMeters =
    area.unitMeters *
    (area.shape === "circle"
      ? area.radius
      : Math.sqrt((area.width / 2) * (area.width / 2) + (area.height / 2) * (area.height / 2)))

  const latitudeDelta = degrees(halfHeight / earthRadiusMeters)
  // The edge nearer to the pole spans more degrees of longitude.
  const widest = latitude < 0 ? latitude - latitudeDelta : latitude + latitudeDelta
  const longitudeDelta = degrees(halfWidth / earthRadiusMeters / Math.cos(radians(widest)))
  const minLongitude = longitude - longitudeDelta
  const maxLongitude = longitude + longitudeDelta
  const minLatitude = latitude - latitudeDelta
  const maxLatitude = latitude + latitudeDelta

  let step = stepOf(radiusMeters, latitude)
  let column = columnOf(longitude, step)
  let row = rowOf(latitude, step, latitudeMax)
  const around = (index: number): number => {
    const count = 2 ** step
    return ((index % count) + count) % count
  }
  // The center may be so near to the edge of its cell that the neighbours do not cover the area.
  const covered =
    south(around(row + 1) + 1, step) >= maxLatitude &&
    south(around(row - 1), step) <= minLatitude &&
    west(around(column + 1) + 1, step) >= maxLongitude &&
    west(around(column - 1), step) <= minLongitude
  if (step > 1 && !covered) {
    step--
    column = columnOf(longitude, step)
    row = rowOf(latitude, step, latitudeMax)
  }

  const skip = { south: false, north: false, west: false, east: false }
  if (step >= 2) {
    skip.south = south(row, step) < minLatitude
    skip.north = south(row + 1, step) > maxLatitude
    skip.west = west(column, step) < minLongitude
    skip.east = west(column + 1, step) > maxLongitude
  }

  const found: Array<ScoreInterval> = []
  const scale = 2 ** (2 * (stepMax - step))
  for (const [east, north] of directions) {
    if ((east > 0 && skip.east) || (east < 0 && skip.west) || (north > 0 && skip.north) || (north < 0 && skip.south))
      continue
    const cell = interleave(east === 0 ? column : around(column + east), north === 0 ? row : around(row + north))
    // In a coarse grid neighbours coincide; only a repetition right behind the first is left out, as in Redis.
    if (found.at(-1)?.min === cell * scale) continue
    found.push({ min: cell * scale, max: (cell + 1) * scale })
  }
  return found
}
