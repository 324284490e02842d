/**
 * The function libraries that are installed: by name, and their functions by theirs, which are one name space where capitals do not
 * count, as in Redis; those of libraries' names do. What a library contains is found out by the engine; here is only what replaces what.
 *
 * The invariant: a change happens as a whole or not at all.
 */
import * as Either from "effect/Either"
import type { CommandError } from "../errors/CommandError.ts"
import { ScriptInvalid, ScriptRefused } from "../errors/ScriptErrors.ts"
import type { Library, LibraryFunction, ScriptEngineService } from "./ScriptEngine.ts"
import type { StoreService } from "../store/Store.ts"
import * as Shebang from "./Shebang.ts"

/** What happens to installed libraries when others are restored. */
export type RestorePolicy = "flush" | "append" | "replace"

export class Libraries {
  private byName: ReadonlyMap<string, Library> = new Map()
  private functions: ReadonlyMap<string, { readonly library: Library; readonly definition: LibraryFunction }> =
    new Map()
  private readonly engine: ScriptEngineService
  private readonly store: Pick<StoreService, "libraryBytes">

  constructor(engine: ScriptEngineService, store: Pick<StoreService, "libraryBytes">) {
    this.engine = engine
    this.store = store
  }

  get all(): ReadonlyArray<Library> {
    return [...this.byName.values()]
  }

  get functionCount(): number {
    return this.engine.installed.functions
  }

  find(functionName: string) {
    return this.functions.get(functionName.toLowerCase())
  }

  private install(libraries: ReadonlyMap<string, Library>): void {
    for (const [name, library] of this.byName) if (libraries.get(name) !== library) this.engine.forget(library)
    this.byName = libraries
    // Of two names in one library that differ in capitals only, the first is called; in redis-server that is a matter of chance.
    this.functions = new Map(
      [...libraries.values()].flatMap((library) =>
        library.functions
          .map((definition) => [definition.name.toLowerCase(), { library, definition }] as const)
          .reverse(),
      ),
    )
    const bytes = this.all.reduce((sum, { name, source }) => sum + name.length + source.length, 0)
    const functions = this.all.reduce((sum, library) => sum + library.functions.length, 0)
    this.store.libraryBytes = bytes
    this.engine.installed = { libraries: this.byName.size, functions, bytes }
  }

  /** Adds a library to `to`; gives its name. */
  private add(to: Map<string, Library>, source: string, replace: boolean): Either.Either<string, CommandError> {
    return Either.flatMap(Shebang.ofLibrary(source), ({ name }) => {
      if (to.has(name) && !replace)
        return Either.left<CommandError>(new ScriptInvalid(`Library '${name}' already exists`))
      return Either.flatMap(this.engine.evaluate(name, source), (library) => {
        to.delete(name)
        const taken = takenName(to, library)
        if (taken !== undefined) {
          this.engine.forget(library)
          return Either.left<CommandError>(new ScriptInvalid(`Function ${taken} already exists`))
        }
        to.set(name, library)
        return Either.right(name)
      })
    })
  }

  load(source: string, replace: boolean): Either.Either<string, CommandError> {
    const next = new Map(this.byName)
    return Either.map(this.add(next, source, replace), (name) => {
      this.install(next)
      return name
    })
  }

  restore(sources: ReadonlyArray<string>, policy: RestorePolicy): Either.Either<void, CommandError> {
    const restored = new Map<string, Library>()
    const refused = (error: CommandError) => {
      for (const library of restored.values()) this.engine.forget(library)
      return Either.left(error)
    }
    for (const source of sources) {
      const added = this.add(restored, source, false)
      if (Either.isLeft(added)) return refused(added.left)
    }
    const next = new Map(policy === "flush" ? [] : this.byName)
    for (const name of restored.keys()) {
      if (!next.has(name)) continue
      if (policy !== "replace") return refused(new ScriptInvalid(`Library ${name} already exists`))
      next.delete(name)
    }
    for (const [name, library] of restored) {
      const taken = takenName(next, library)
      if (taken !== undefined) return refused(new ScriptInvalid(`Function ${taken} already exists`))
      next.set(name, library)
    }
    this.install(next)
    return Either.void
  }

  delete(name: string): Either.Either<void, CommandError> {
    const next = new Map(this.byName)
    if (!next.delete(name)) return Either.left(ScriptRefused.libraryMissing)
    this.install(next)
    return Either.void
  }

  flush(): void {
    this.install(new Map())
  }
}

/** A function of `library` that one of `libraries` has already. */
const takenName = (libraries: ReadonlyMap<string, Library>, library: Library): string | undefined => {
  const names = new Set(
    [...libraries.values()].flatMap((other) => other.functions.map(({ name }) => name.toLowerCase())),
  )
  return library.functions.find(({ name }) => names.has(name.toLowerCase()))?.name
}
