/**
 * What was promised survives whatever the disk does. Each seed draws a policy, a load of changes with snapshots and rewrites among them,
 * faults, and the moment and kind of the crash; then a new server starts from what is left.
 *
 * The promise: what is found is the state after some change, never an earlier one than the last that was acknowledged (`always`), or than
 * the last that was acknowledged two seconds before the crash or before writes were refused (`everysec`).
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import { Chance } from "../../src/clock/Chance.ts"
import { Clock } from "../../src/clock/Clock.ts"
import { Config } from "../../src/config/Config.ts"
import * as Files from "../../src/persistence/Files.ts"
import { Persistence, type PersistenceService } from "../../src/persistence/Persistence.ts"
import { Store, type StoreService } from "../../src/store/Store.ts"
import { stored } from "../../src/store/Value.ts"
import { chances, FailingDisk, noFaults } from "../support/FailingDisk.ts"
import * as VirtualClock from "../support/VirtualClock.ts"

type Policy = "always" | "everysec" | "no"

const server = (disk: FailingDisk, policy: Policy, preamble: boolean) =>
  Files.layer({ usedMemory: () => 0 }).pipe(
    Layer.provideMerge(Store.layerMemory({ databases: 4 })),
    Layer.provideMerge(Layer.mergeAll(Clock.layer, Chance.layer, disk.layer, settings(policy, preamble))),
  )

/** Reading the table of settings takes longer than a simulated crash, so it is done once for each choice. */
const settings = (policy: Policy, preamble: boolean): Layer.Layer<Config> => {
  const name = `${policy} ${preamble}`
  const known = configs.get(name)
  if (known !== undefined) return known
  const values = { dir: "/tmp", appendonly: true, appendfsync: policy, save: [], aofUseRdbPreamble: preamble }
  const layer = Layer.succeed(Config, Effect.runSync(Effect.provide(Config, Config.layer(values))))
  configs.set(name, layer)
  return layer
}
const configs = new Map<string, Layer.Layer<Config>>()

/** Carries out the few commands that the test logs. */
const apply = (store: StoreService, db: number, argv: ReadonlyArray<string>): void => {
  const database = store.database(db)!
  if (argv[0] === "SET") database.set(argv[1]!, stored(argv[2]!))
  else if (argv[0] === "DEL") database.remove(argv[1]!)
  else if (argv[0] === "FLUSHDB") database.clear()
}

const start = (persistence: PersistenceService, store: StoreService) => {
  let selected = 0
  return persistence.start({
    replay: {
      command: (argv) => {
        if (argv[0] === "SELECT") selected = Number(argv[1])
        else apply(store, selected, argv)
        return undefined
      },
      functionLibrary: () => undefined,
    },
    functionLibraries: () => [],
  })
}

const fingerprint = (store: StoreService): string => {
  const found: Array<string> = []
  for (const db of store.databases) {
    for (let i = 0; i < db.size; i++) {
      const key = db.keyspace.keyAt(i)
      found.push(`${db.index} ${key} ${String(db.keyspace.peek(key))}`)
    }
  }
  return found.sort().join("\n")
}

/** Lets other fibers run, and real immediates between slices of a snapshot. */
const turn = Effect.promise(() => new Promise<void>((resolve) => setImmediate(resolve)))

interface Outcome {
  /** States in order; the first is the empty one. */
  readonly states: ReadonlyArray<string>
  /** Index of the oldest state that may be found. */
  readonly promised: number
}

const load = (disk: FailingDisk, policy: Policy, chance: () => number, time: VirtualClock.VirtualClock) =>
  Effect.gen(function* () {
    const persistence = yield* Persistence
    const store = yield* Store
    const clock = yield* Clock
    const states = [fingerprint(store)]
    /** For each state when it was acknowledged, -1 where it was not. */
    const acknowledgedAt = [clock.now()]
    /** When writes were last seen not to be refused. */
    let healthyAt = clock.now()
    const look = () => {
      if (persistence.refusal() === undefined && !disk.isDead) healthyAt = clock.now()
    }
    yield* start(persistence, store)
    disk.diesAt = disk.operations + Math.floor(chance() ** 2 * 400)
    const steps = 10 + Math.floor(chance() * 60)
    for (let step = 0; step < steps && !disk.isDead; step++) {
      look()
      const draw = chance()
      if (draw < 0.1) {
        disk.faults =
          chance() < 0.5
            ? noFaults
            : {
                write: chance() < 0.5 ? 0.3 : 0,
                sync: chance() < 0.3 ? 0.3 : 0,
                rename: chance() < 0.2 ? 0.3 : 0,
                open: chance() < 0.2 ? 0.3 : 0,
                truncate: chance() < 0.2 ? 0.5 : 0,
                space: chance() < 0.2 ? 600 + Math.floor(chance() * 2000) : Infinity,
              }
      } else if (draw < 0.14) persistence.rewriteLog()
      else if (draw < 0.17) persistence.saveInBackground(true)
      else if (draw < 0.35) {
        for (let left = Math.floor(chance() * 3000); left > 0; left -= 250) {
          yield* time.advance(Math.min(left, 250))
          look()
        }
      } else if (draw < 0.4) yield* turn
      else {
        if (persistence.refusal() !== undefined) {
          yield* turn
          continue
        }
        const changes = Array.from({ length: chance() < 0.2 ? 3 : 1 }, () => ({
          db: chance() < 0.8 ? 0 : 1,
          argv:
            chance() < 0.02
              ? ["FLUSHDB"]
              : chance() < 0.8
                ? ["SET", `k${Math.floor(chance() * 8)}`, `${step}-${"v".repeat(Math.floor(chance() * 40))}`]
                : ["DEL", `k${Math.floor(chance() * 8)}`],
        }))
        for (const { db, argv } of changes) apply(store, db, argv)
        const unit =
          changes.length === 1
            ? changes
            : [{ db: changes[0]!.db, argv: ["MULTI"] }, ...changes, { db: changes[0]!.db, argv: ["EXEC"] }]
        persistence.append(unit)
        states.push(fingerprint(store))
        acknowledgedAt.push(-1)
        const state = states.length - 1
        const result = persistence.mustCommit() ? yield* Effect.either(persistence.commit) : Either.void
        // No time passes between a change and its write beyond what the event loop takes.
        yield* Effect.repeatN(Effect.yieldNow(), 4)
        if (Either.isRight(result) && !disk.isDead) acknowledgedAt[state] = clock.now()
      }
    }
    // Virtual time is the crash's: what was acknowledged two seconds before must be there, unless writes were already refused.
    const limit = policy === "always" ? Infinity : policy === "everysec" ? healthyAt - 2000 : -Infinity
    let promised = 0
    acknowledgedAt.forEach((at, index) => {
      if (at >= 0 && at < limit) promised = index
    })
    return { states, promised } satisfies Outcome
  })

/** Carries out one seed; fails with what the disk did and the seed's number when a promise was broken. */
export const round = (seed: number) =>
  Effect.gen(function* () {
    const chance = chances(seed)
    const policy = (["always", "always", "everysec", "everysec", "no"] as const)[Math.floor(chance() * 5)]!
    const preamble = chance() < 0.7
    const disk = new FailingDisk(seed)
    const time = VirtualClock.make()
    const outcome = yield* load(disk, policy, chance, time).pipe(
      Effect.provide(server(disk, policy, preamble)),
      Effect.withClock(time),
    )
    const powerCut = chance() < 0.5
    const left = powerCut ? disk.afterPowerCut() : disk.afterKill()
    const found = yield* Effect.gen(function* () {
      const store = yield* Store
      yield* start(yield* Persistence, store)
      return fingerprint(store)
    }).pipe(Effect.provide(server(left, policy, preamble)), Effect.withClock(time), Effect.either)
    const context = `seed ${seed} ${policy} ${powerCut ? "power cut" : "kill"}\n${disk.history.join("\n")}`
    if (Either.isLeft(found)) {
      // A sync that failed leaves a hole at a power cut unless the rest is cut off before, which failed or did not happen any more: three faults in a row, and no promise.
      const hole =
        powerCut && ["sync", "truncate"].every((kind) => disk.history.some((line) => line.includes(` ${kind} `)))
      if (hole && found.left._tag === "DamagedFile") return 0
    }
    if (Either.isLeft(found)) throw new Error(`${context}\ndid not start: ${String(found.left)}`)
    const index = outcome.states.lastIndexOf(found.right)
    if (index < 0)
      throw new Error(`${context}\nfound a state that never was:\n${found.right}\nlast: ${outcome.states.at(-1)}`)
    if (index < outcome.promised) {
      throw new Error(`${context}\nfound state ${index} of ${outcome.states.length - 1}, promised ${outcome.promised}`)
    }
    return index
  })
