/**
 * Draws a line per server with Vega-Lite, as SVG text. What all plots share is decided here: one colour a server in every
 * plot, values on the lines, the machine and the versions beneath the title, a white ground that any page can carry.
 */
import * as vega from "vega"
import * as vegaLite from "vega-lite"

export interface Point {
  readonly server: string
  readonly x: number
  readonly y: number
  /** Splits the plot into panels side by side. */
  readonly panel?: string
}

export interface Plot {
  readonly title: string
  readonly subtitle: ReadonlyArray<string>
  readonly x: Axis
  readonly y: Axis
  readonly points: ReadonlyArray<Point>
}

export interface Axis {
  readonly title: string
  readonly logarithmic: boolean
  /** The places that are labelled. */
  readonly values?: ReadonlyArray<number>
  /** How Vega prints a label, given as `datum.value`; Vega's own form when missing. */
  readonly label?: string
}

const colours: Readonly<Record<string, string>> = { ours: "#d62728", redis: "#1f77b4", floor: "#9e9e9e" }

const axis = ({ title, logarithmic, values, label }: Axis) => ({
  type: "quantitative" as const,
  title,
  scale: logarithmic ? { type: "log" as const } : { zero: true },
  axis: {
    ...(values === undefined ? {} : { values: [...values] }),
    ...(label === undefined ? {} : { labelExpr: label }),
  },
})

export const svg = (plot: Plot): Promise<string> => {
  const domain = Object.keys(colours).filter((name) => plot.points.some((point) => point.server === name))
  const range = domain.map((name) => colours[name]!)
  const { spec } = vegaLite.compile({
    $schema: "https://vega.github.io/schema/vega-lite/v6.json",
    background: "white",
    padding: 12,
    title: { text: plot.title, subtitle: [...plot.subtitle], anchor: "start", subtitleColor: "#666", offset: 12 },
    data: { values: [...plot.points] },
    width: 320,
    height: 240,
    mark: { type: "line", point: true },
    encoding: {
      x: { field: "x", ...axis(plot.x) },
      y: { field: "y", ...axis(plot.y) },
      color: { field: "server", type: "nominal", title: null, scale: { domain, range } },
      ...(plot.points.some((point) => point.panel !== undefined)
        ? { column: { field: "panel", type: "nominal" as const, title: null, sort: null } }
        : {}),
    },
  })
  return new vega.View(vega.parse(spec), { renderer: "none" }).toSVG()
}
