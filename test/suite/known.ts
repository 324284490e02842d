/** What redis's own tests ask that this server answers otherwise on purpose, or that only redis-server's program can answer. */

export interface Difference {
  readonly unit: string
  readonly test: string
  readonly reason: string
}

export const differences: ReadonlyArray<Difference> = []

/** Units that are not run, and why. */
export const leftOutUnits: ReadonlyMap<string, string> = new Map([
  ["unit/printver", "prints the version and tests nothing"],
  ["unit/cluster/misc", "starts a cluster"],
  ["unit/cluster/links", "starts a cluster"],
])

/** Units that take few seconds each, for every change. */
export const shortUnits: ReadonlyArray<string> = []
