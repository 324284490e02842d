/**
 * Places as numbers: the grid, geohash texts, distances, and that a search looks everywhere it has to. What commands answer is
 * in the transcripts; the digits here are recorded from redis-server 7.0.15.
 */
import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import {
  type Area,
  decode,
  distance,
  distanceWithin,
  encode,
  intervals,
  isPlace,
  type Place,
  toText,
} from "../src/bytes/Geohash.ts"
import { partialSort } from "../src/bytes/PartialSort.ts"
import { formatFixed } from "../src/commands/geo/places.ts"

const at = (longitude: number, latitude: number): Place => ({ longitude, latitude })

describe("a place", () => {
  it.each([
    [at(13.361389, 38.115556), 3479099956230698, "sqc8b49rny0"],
    [at(15.087269, 37.502669), 3479447370796909, "sqdtr74hyu0"],
    [at(180, 85.05112878), 13510798882111488, "bp05b5048p0"],
    [at(-180, -85.05112878), 0, "00bh0hbj200"],
  ])("%j has the score and the text that Redis gives it", (place, score, text) => {
    expect(encode(place)).toBe(score)
    expect(toText(decode(score))).toBe(text)
  })

  const place = fc.record({
    longitude: fc.double({ min: -180, max: 180, noNaN: true }),
    latitude: fc.double({ min: -85.05112878, max: 85.05112878, noNaN: true }),
  })

  it("comes back from its score as a place in the same cell, less than a meter away", () => {
    fc.assert(
      fc.property(place, (one) => {
        const back = decode(encode(one))
        expect(isPlace(back)).toBe(true)
        expect(distance(one, back)).toBeLessThan(1)
        if (one.longitude < 180 && one.latitude < 85.05112878) expect(encode(back)).toBe(encode(one))
      }),
    )
  })

  it("is as far from another as the other from it, and not far from itself", () => {
    fc.assert(
      fc.property(place, place, (one, other) => {
        expect(distance(one, other)).toBeCloseTo(distance(other, one), 3)
        expect(distance(one, one)).toBe(0)
      }),
    )
  })

  it("is found by the intervals of every area it lies in", () => {
    const unitMeters = 1000
    // At the 180th meridian an area ends, and redis-server does not find what lies on it either.
    const center = fc.record({
      longitude: fc.double({ min: -178, max: 178, noNaN: true }),
      latitude: fc.double({ min: -70, max: 70, noNaN: true }),
    })
    const offset = fc.double({ min: -1.5, max: 1.5, noNaN: true })
    const kilometers = fc.double({ min: 0.01, max: 150, noNaN: true })
    fc.assert(
      fc.property(center, offset, offset, kilometers, kilometers, fc.boolean(), (middle, x, y, size, height, isBox) => {
        const area: Area = isBox
          ? { shape: "box", center: middle, unitMeters, width: size, height }
          : { shape: "circle", center: middle, unitMeters, radius: size }
        const score = encode(at(Math.max(-180, Math.min(180, middle.longitude + x)), middle.latitude + y))
        if (distanceWithin(area, decode(score)) === undefined) return
        expect(intervals(area).some(({ min, max }) => score >= min && score < max)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it("is printed as C's printf prints it: ties to even, all digits, the sign of zero", () => {
    expect(formatFixed(190.0078125, 6)).toBe("190.007812")
    expect(formatFixed(190.0234375, 6)).toBe("190.023438")
    expect(formatFixed(0.03125, 4)).toBe("0.0312")
    expect(formatFixed(-0, 6)).toBe("-0.000000")
    expect(formatFixed(1e22, 6)).toBe("10000000000000000000000.000000")
    expect(formatFixed(166274.15156960033, 4)).toBe("166274.1516")
    expect(formatFixed(-Infinity, 6)).toBe("-inf")
  })
})

describe("a partial sort", () => {
  it("puts into the wanted positions what a full sort puts there, and loses nothing", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 120 }), fc.nat(), fc.nat(), (values, a, b) => {
        if (values.length === 0) return
        const first = Math.min(a % values.length, b % values.length)
        const last = Math.max(a % values.length, b % values.length)
        const sorted = values.toSorted((x, y) => x - y)
        const partly = [...values]
        partialSort(partly, (x, y) => x - y, first, last)
        expect(partly.slice(first, last + 1)).toEqual(sorted.slice(first, last + 1))
        expect(partly.toSorted((x, y) => x - y)).toEqual(sorted)
      }),
      { numRuns: 300 },
    )
  })
})
