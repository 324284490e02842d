/**
 * One server a directory: a file that names the process which uses it, made where none was and removed at the end.
 *
 * The idea to hold: a server that was killed leaves the file behind, so the file counts only while that process lives. A process is
 * told from a later one with the same number (1, in every container) by the time at which it began, where the system says it, and two
 * servers in one process by a name that each gets.
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { DirectoryInUse, DiskFailure } from "../../errors/PersistenceErrors.ts"
import { reasonOf } from "./Disk.ts"
import type { FileSystem } from "./FileSystem.ts"

const lockName = "tiny-redis.lock"

/** Locks held by this process. */
const held = new Set<string>()

interface Holder {
  readonly pid: number
  readonly name: string
  /** When the process began, in the system's own measure; "" where that is unknown. */
  readonly began: string
}

const print = ({ pid, name, began }: Holder): string => `${pid} ${name} ${began}\n`

const parse = (text: string): Holder | undefined => {
  const [pid, name, began] = text.trim().split(" ")
  return pid !== undefined && name !== undefined && /^\d+$/.test(pid)
    ? { pid: Number(pid), name, began: began ?? "" }
    : undefined
}

/** Holds the lock of `directory` until the scope closes. `name` is unlike any other server's. */
export const acquire = (
  fs: FileSystem,
  directory: string,
  name: string,
): Effect.Effect<void, DirectoryInUse | DiskFailure, Scope.Scope> => {
  const path = `${directory}/${lockName}`
  const failed = (operation: string) =>
    Effect.mapError(
      (error: Parameters<typeof reasonOf>[0]) => new DiskFailure({ operation, path, reason: reasonOf(error) }),
    )

  /** What /proc says: the 22nd field of `stat`, counted behind the name, which may contain spaces. */
  const beganOf = (pid: number): Effect.Effect<string> =>
    fs.readFileString(`/proc/${pid}/stat`).pipe(
      Effect.map((stat) => stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? ""),
      Effect.orElseSucceed(() => ""),
    )

  const isAlive = (holder: Holder): Effect.Effect<boolean> => {
    if (holder.pid === process.pid) return Effect.succeed(held.has(holder.name))
    try {
      process.kill(holder.pid, 0)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ESRCH") return Effect.succeed(false)
    }
    return Effect.map(beganOf(holder.pid), (began) => began === "" || holder.began === "" || began === holder.began)
  }

  const write = Effect.flatMap(beganOf(process.pid), (began) =>
    fs.writeFileString(path, print({ pid: process.pid, name, began }), { flag: "wx", mode: 0o600 }),
  )

  const take: Effect.Effect<void, DirectoryInUse | DiskFailure> = Effect.gen(function* () {
    const written = yield* Effect.either(write)
    if (written._tag === "Right") return
    const error = written.left
    if (!(error._tag === "SystemError" && error.reason === "AlreadyExists")) {
      return yield* new DiskFailure({ operation: "create", path, reason: reasonOf(error) })
    }
    const found = yield* Effect.orElseSucceed(fs.readFileString(path), () => "")
    const holder = parse(found)
    if (holder !== undefined && (yield* isAlive(holder))) {
      return yield* new DirectoryInUse({ directory, holder: `the server with process id ${holder.pid}` })
    }
    // Another server may find the same dead lock at this moment: whoever moves it away first has it, and looks at what was moved.
    const aside = `${path}.${name}`
    yield* Effect.ignore(fs.rename(path, aside))
    const moved = yield* Effect.orElseSucceed(fs.readFileString(aside), () => "")
    if (moved !== found) {
      if (moved !== "") yield* Effect.ignore(fs.rename(aside, path))
      return yield* new DirectoryInUse({ directory, holder: "another server that is starting" })
    }
    yield* Effect.ignore(fs.remove(aside))
    yield* write.pipe(failed("create"))
  })

  return Effect.acquireRelease(
    Effect.tap(take, () => Effect.sync(() => held.add(name))),
    () =>
      Effect.zipRight(
        Effect.sync(() => held.delete(name)),
        Effect.ignore(fs.remove(path)),
      ),
  )
}
