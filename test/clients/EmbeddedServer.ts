/**
 * A server in this process without any socket, and the way there for ioredis and what is built on it: a connector whose
 * stream is one end of a pair in memory.
 */
import { Duplex } from "node:stream"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Server from "../../src/Server.ts"
import { MemoryConnector, type MemoryPeer } from "../../src/socket/MemorySocket.ts"
import { testSettings } from "../support/TestServer.ts"

/** What ioredis knows as a connection's stream. */
class MemoryStream extends Duplex {
  private readonly peer: MemoryPeer

  constructor(peer: MemoryPeer) {
    super()
    this.peer = peer
    peer.onData((bytes) => this.push(Buffer.from(bytes, "latin1")))
    peer.onClosed(() => {
      this.push(null)
      this.destroy()
    })
  }

  override _read(): void {}
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    // The answer comes within this call, and ioredis notes what it waits for only after it.
    setImmediate(() => {
      this.peer.write(chunk.toString("latin1"))
      done()
    })
  }
  override _final(done: () => void): void {
    this.peer.end()
    done()
  }
  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.peer.destroy()
    done(error)
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  setTimeout(): this {
    return this
  }
}

export interface EmbeddedServer {
  /** The option `Connector` of ioredis. */
  readonly Connector: new () => object
  readonly stop: () => Promise<void>
}

export const start = async (): Promise<EmbeddedServer> => {
  const scope = Effect.runSync(Scope.make())
  const context = await Effect.runPromise(Layer.buildWithScope(Server.layerTest(testSettings), scope))
  const connector = Context.get(context, MemoryConnector)
  class Connector {
    connecting = false
    firstError: Error | undefined
    private stream: MemoryStream | undefined

    check(): boolean {
      return true
    }
    async connect(): Promise<MemoryStream> {
      this.connecting = true
      this.stream = new MemoryStream(connector.connect())
      return this.stream
    }
    disconnect(): void {
      this.connecting = false
      this.stream?.end()
    }
  }
  return { Connector, stop: () => Effect.runPromise(Scope.close(scope, Exit.void)) }
}
