/**
 * How the cost of a command grows with the size of what it works on. Each command runs at n = 1,000, 4,000, ... elements; the
 * server's CPU time per command is fitted by c * n^k over the larger half of the sizes, and k is printed beside the
 * complexity that Redis documents. A command is worse than documented when k is above what that complexity allows (0 with
 * room for logarithms, or 1 with room for noise) and redis-server's k in the same run is clearly lower: what both show is
 * memory that no longer fits the processor's caches. Where little else costs, only ours shows it (searching a packed list is a
 * fraction of a nanosecond an element as long as the caches hold it): steeper than redis-server, but still faster at the largest
 * size, is told as "steeper" and is not worse. Commands that change the size come in pairs that undo each other.
 * The fixed cost of reading a request hides growth at small n only, which is why the larger sizes decide.
 *
 * One step in the figures is of our own making and no growth: a reply of some ten thousand nested parts (XRANGE - +) outlives
 * the young generation, and from there on each part costs the collector up to four times what it did. With a young generation
 * of 128 MiB the step moves up with it.
 */
import { type Measurable, startOurs, startRedis } from "./Children.ts"
import { type Argv, Client } from "./Client.ts"
import type { Case, Complexity, Family } from "./complexity/Case.ts"
import { families } from "./complexity/index.ts"
import { table } from "./Report.ts"
import { growthExponent } from "./Statistics.ts"

const smallest = 1000
const factor = 4
const enoughSeconds = 0.03
/** A run of this length is its own average. */
const longSeconds = 0.4
const repetitionsMax = 40_000
const replyBytesMax = 32 * 2 ** 20

/** The largest exponent that still counts as the documented complexity. */
const allowed: Readonly<Record<Complexity, number>> = {
  "O(1)": 0.3,
  "O(log N)": 0.35,
  "O(N)": 1.2,
  "O(N log N)": 1.3,
}

/** How much steeper than redis-server's growth ours must be to count. */
const clearly = 0.25

const sizesUpTo = (largest: number): ReadonlyArray<number> => {
  const sizes = [smallest]
  while (sizes[sizes.length - 1]! * factor <= largest) sizes.push(sizes[sizes.length - 1]! * factor)
  return sizes
}

/** Server CPU in microseconds for one round of the case at size n: the least of three, after enough repetitions. */
const costMicros = async (server: Measurable, client: Client, one: Case, n: number): Promise<number> => {
  let serial = 0
  const spend = async (repetitions: number): Promise<{ readonly seconds: number; readonly bytes: number }> => {
    const commands: Array<Argv> = []
    for (let i = 0; i < repetitions; i++) commands.push(...one.commands(serial++, n))
    const before = server.process.cpuSeconds()
    const replies = await client.send(commands)
    const seconds = server.process.cpuSeconds() - before
    const error = replies.find((reply) => reply.startsWith("-"))
    if (error !== undefined) throw new Error(`${one.name}: ${error.trim()}`)
    return { seconds, bytes: replies.reduce((sum, reply) => sum + reply.length, 0) }
  }
  let repetitions = 1
  for (;;) {
    const { seconds, bytes } = await spend(repetitions)
    const mayGrow = repetitions * 4 <= repetitionsMax && bytes * 4 <= replyBytesMax
    if (seconds >= enoughSeconds || !mayGrow) {
      // A collection of garbage can make one run look long enough; the least of three cannot be taken in by it.
      let least = seconds
      for (let i = 0; i < (seconds > longSeconds ? 1 : 3); i++)
        least = Math.min(least, (await spend(repetitions)).seconds)
      if (least >= enoughSeconds / 3 || !mayGrow) return Math.max((least * 1e6) / repetitions, 0.01)
    }
    repetitions *= 4
  }
}

/** Cost by case name, one entry a size. */
const measureFamily = async (
  server: Measurable,
  family: Family,
  sizes: ReadonlyArray<number>,
): Promise<ReadonlyMap<string, ReadonlyArray<number>>> => {
  const costs = new Map<string, Array<number>>(family.cases.map((one) => [one.name, []]))
  for (const n of sizes) {
    const client = await Client.connect(server)
    await client.call("FLUSHALL")
    await family.fill(client, n)
    for (const one of family.cases) costs.get(one.name)!.push(await costMicros(server, client, one, n))
    client.close()
  }
  return costs
}

const shown = (micros: number): string => micros.toFixed(micros < 100 ? 1 : 0)

export const measureComplexity = async (options: {
  readonly main: string | undefined
  readonly only: string | undefined
  readonly largest: number
}): Promise<number> => {
  const sizes = sizesUpTo(options.largest)
  const upper = sizes.length >> 1
  const exponentOf = (costs: ReadonlyArray<number>): number =>
    growthExponent(sizes.map((n, i) => [n, costs[i]!] as const).slice(upper))
  const ours = await startOurs(options.main)
  const redis = await startRedis()
  const lines: Array<ReadonlyArray<string>> = []
  let worse = 0
  for (const family of families.filter(({ name }) => options.only === undefined || name.includes(options.only))) {
    const mine = await measureFamily(ours, family, sizes)
    const theirs = family.oursOnly === true ? undefined : await measureFamily(redis, family, sizes)
    for (const one of family.cases) {
      const exponent = exponentOf(mine.get(one.name)!)
      const reference = theirs === undefined ? 0 : exponentOf(theirs.get(one.name)!)
      const largest = mine.get(one.name)!.at(-1)!
      const redisLargest = theirs?.get(one.name)!.at(-1)
      const isSteeper = exponent > allowed[one.documented] && exponent > reference + clearly
      const isWorse = isSteeper && !(redisLargest !== undefined && largest < redisLargest)
      if (isWorse) worse++
      lines.push([
        one.name,
        one.documented,
        exponent.toFixed(2),
        theirs === undefined ? "-" : reference.toFixed(2),
        ...mine.get(one.name)!.map(shown),
        redisLargest === undefined ? "-" : shown(redisLargest),
        isWorse ? "WORSE" : isSteeper ? "steeper" : "ok",
      ])
    }
    console.error(`${family.name} done`)
  }
  const head = ["command", "documented", "growth", "redis", ...sizes.map((n) => `us at ${n}`), "redis there", ""]
  console.log(table(head, lines))
  console.log(`${lines.length - worse} of ${lines.length} commands grow as documented`)
  await Promise.all([ours.process.stop(), redis.process.stop()])
  return worse === 0 ? 0 : 1
}
