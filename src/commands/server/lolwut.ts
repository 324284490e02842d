/**
 * LOLWUT: a picture made of text, and the version. Which one is asked for with VERSION: 5 is a plotter drawing of squares that
 * lose their order from row to row, 6 a city in four greys; every other version has none.
 *
 * Differs: the pictures follow the same parameters as Redis's and have the same size, but chance draws them otherwise, and what is
 * written below them are words of our own.
 */
import * as Either from "effect/Either"
import { fromUtf8 } from "../../bytes/Bytes.ts"
import * as Reply from "../../codec/Reply.ts"
import * as Arg from "../../command/Arg.ts"
import type { Args } from "../../command/Args.ts"
import * as Command from "../../command/Command.ts"
import { redisVersion } from "../../config/Version.ts"

/** A whole number below a bound, by chance. */
type Below = (bound: number) => number

/** The next word as a number within limits; what lies outside of them counts as the nearest inside. */
const within = (args: Args, least: number, most: number, absent: number): number =>
  args.more ? Math.min(most, Math.max(least, args.int())) : absent

const lolwut = Command.make({
  name: "lolwut",
  summary: "Display some computer art and the Redis version",
  since: "5.0.0",
  group: "server",
  arity: -1,
  flags: "readonly fast",
  args: [Arg.integer("version", { token: "VERSION", optional: true })],
  parse: (args) => {
    if (!args.optionWith("VERSION", 1)) return () => ""
    const version = args.int()
    if (version === 5) {
      const columns = within(args, 1, 1000, 66)
      const across = within(args, 1, 200, 8)
      const down = within(args, 1, 200, 12)
      return (below: Below) => `${schotter(columns, across, down, below)}\nSchotter, after Georg Nees (1968). `
    }
    if (version === 6) {
      const columns = within(args, 1, 1000, 80)
      const rows = within(args, 1, 1000, 20)
      return (below: Below) => `${city(columns, rows, below)}\nGood night from the terminal.\n`
    }
    return () => ""
  },
  run: (draw, ctx) =>
    Either.right(Reply.verbatim("txt", fromUtf8(`${draw((bound) => ctx.below(bound))}Redis ver. ${redisVersion}\n`))),
})

/** LOLWUT. */
export const lolwutCommands = [lolwut]

/** Points that a terminal shows as Braille: two across and four down in each character. */
class Canvas {
  private readonly bits: Uint8Array
  private readonly columns: number
  private readonly rows: number
  constructor(width: number, height: number) {
    this.columns = Math.ceil(width / 2)
    this.rows = Math.ceil(height / 4)
    this.bits = new Uint8Array(this.columns * this.rows)
  }

  point(x: number, y: number): void {
    const column = x >> 1
    const row = y >> 2
    if (column < 0 || column >= this.columns || row < 0 || row >= this.rows) return
    this.bits[row * this.columns + column]! |= brailleBits[y & 3]![x & 1]!
  }

  line(fromX: number, fromY: number, toX: number, toY: number): void {
    const steps = Math.max(Math.abs(toX - fromX), Math.abs(toY - fromY), 1)
    for (let i = 0; i <= steps; i++) {
      this.point(Math.round(fromX + ((toX - fromX) * i) / steps), Math.round(fromY + ((toY - fromY) * i) / steps))
    }
  }

  text(): string {
    let text = ""
    for (let i = 0; i < this.bits.length; i++) {
      text += String.fromCharCode(0x2800 + this.bits[i]!)
      if (i % this.columns === this.columns - 1) text += "\n"
    }
    return text
  }
}

/** The dot of a Braille character, by row and column; the fourth row was added to the code later. */
const brailleBits = [
  [0x01, 0x08],
  [0x02, 0x10],
  [0x04, 0x20],
  [0x40, 0x80],
]

/** Rows of squares, the first two in order, the others turned and moved the more by chance the lower they are. */
const schotter = (columns: number, across: number, down: number, below: Below): string => {
  const width = columns * 2
  const margin = width > 4 ? 2 : 0
  const side = (width - margin * 2) / across
  const canvas = new Canvas(width, Math.floor(side * down) + margin * 2)
  const between = (bound: number) => (below(2001) / 1000 - 1) * bound
  for (let row = 0; row < down; row++) {
    const disorder = row > 1 ? row / down : 0
    for (let column = 0; column < across; column++) {
      const angle = between(disorder)
      const x = margin + (column + 0.5) * side + between((disorder * side) / 3)
      const y = margin + (row + 0.5) * side + between((disorder * side) / 3)
      square(canvas, x, y, side, angle)
    }
  }
  return canvas.text()
}

/** A square around a middle, turned by `angle` in radians. */
const square = (canvas: Canvas, x: number, y: number, side: number, angle: number): void => {
  const corners = [0, 1, 2, 3].map((i) => {
    const turned = angle + ((2 * i + 1) * Math.PI) / 4
    const distance = side / Math.SQRT2
    return [
      Math.floor(x + Math.cos(turned) * distance + 0.01),
      Math.floor(y + Math.sin(turned) * distance + 0.01),
    ] as const
  })
  for (const [i, [fromX, fromY]] of corners.entries()) canvas.line(fromX, fromY, ...corners[(i + 1) % 4]!)
}

/** A blank in one of four greys, black to white, as a terminal is told to show it. */
const greys = ["30;40", "90;100", "37;47", "97;107"].map((colors) => `\x1b[0;${colors}m \x1b[0m`)
const [black, dark, light, white] = [0, 1, 2, 3] as const

/** Houses in front of each other below a bright sky, some of their windows lit. */
const city = (columns: number, rows: number, below: Below): string => {
  const sky: Array<Array<number>> = Array.from({ length: rows }, () => new Array<number>(columns).fill(white))
  const rowOfHouses = (grey: number, highest: number, windows: boolean) => {
    for (let left = -below(5); left < columns;) {
      const width = 5 + below(8)
      const top = rows - 1 - below(Math.max(1, Math.floor(rows * highest)))
      for (let y = top; y < rows; y++) {
        for (let x = Math.max(0, left); x < Math.min(columns, left + width); x++) {
          const window = windows && (y - top) % 2 === 1 && (x - left) % 3 === 1 && x < left + width - 1
          sky[y]![x] = window && below(3) > 0 ? light : grey
        }
      }
      left += width + below(3)
    }
  }
  rowOfHouses(light, 0.9, false)
  rowOfHouses(dark, 0.7, false)
  rowOfHouses(black, 0.5, true)
  return sky.map((row) => row.map((grey) => greys[grey]!).join("")).join("\n")
}
