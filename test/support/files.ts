/** A server with files, on the real file system, for the time of one test. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Values } from "../../src/config/Config.ts"
import { layerNode } from "../../src/persistence/disk/FileSystem.ts"
import * as Files from "../../src/persistence/Files.ts"
import * as Server from "../../src/Server.ts"
import { connect, type TestClient, testSettings } from "./TestServer.ts"

/** Runs `body` with a server on `directory`, and stops it. */
export const withFiles = <A, E>(
  directory: string,
  options: Partial<Values>,
  body: (client: TestClient) => Effect.Effect<A, E>,
  files: Files.FilesOptions = {},
) =>
  Effect.flatMap(connect, body).pipe(
    Effect.provide(
      Server.layerTest({ ...testSettings, dir: directory, ...options }, { persistence: Files.layer(files) }).pipe(
        Layer.provide(layerNode),
      ),
    ),
  )

/** A directory that is removed with the scope. */
export const directory = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped()).pipe(
  Effect.provide(NodeFileSystem.layer),
)

/** Waits until a line of INFO persistence is as wanted; a disk under load takes its time. */
export const until = (client: TestClient, line: string) =>
  Effect.promise(async () => {
    for (const limit = performance.now() + 15_000; performance.now() < limit;) {
      const info = await client.run("INFO", "persistence")
      if ("value" in info && String(info.value).includes(line)) return
      await new Promise((resolve) => setTimeout(resolve, 2))
    }
    throw new Error(`INFO never said ${line}`)
  })
