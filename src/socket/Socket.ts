/**
 * Listening, as a service: TCP and Unix sockets, in plain and under TLS, or pairs in memory. The layer holds the ports: it fails with a
 * `SocketError` that names the address when one cannot be bound, and closes them with its scope.
 *
 * Why `node:net` and not the platform's socket server: its `run` forks an effect per chunk, a throw in it ends the process,
 * and nothing pushes back (measured in CPU per accept: 260 us against 48; per idle connection 18.6 KiB against 0.9).
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Scope } from "effect/Scope"
import type { SocketError } from "./Addresses.ts"
import { type ListenOptions, listenAll } from "./Listening.ts"
import type { TlsSettings } from "./TlsOptions.ts"
import type { Transport } from "./Transport.ts"

/** Ports to listen on, where they are to change; 0 for none of the kind. */
export interface Ports {
  readonly port?: number
  readonly tlsPort?: number
}

export interface SocketService {
  /** Hands each new connection to `accept` until the scope ends. Called once. */
  readonly accept: (accept: (transport: Transport) => void) => Effect.Effect<void, never, Scope>
  /** Where the server listens, for the start-up line: `127.0.0.1:6379`, a path, or `memory`. */
  readonly addresses: ReadonlyArray<string>
  /** The TCP port in use (also when 0 asked for a free one); 0 without TCP. */
  readonly port: number
  /** The same of connections under TLS. */
  readonly tlsPort: number
  /**
   * Listens on these addresses instead, without touching connections; no address or port 0 ends listening on TCP, and an
   * absent port is the one of before. After a failure the server listens where it did.
   */
  readonly rebind: (bind: ReadonlyArray<string>, ports?: Ports) => Effect.Effect<void, SocketError>
  /** Serves new connections under TLS with these settings, whose files are read now. After a failure all is as it was. */
  readonly secure: (settings: TlsSettings) => Effect.Effect<void, SocketError>
}

export class Socket extends Context.Tag("tiny-redis/Socket")<Socket, SocketService>() {
  /** TCP on each of `bind`, under TLS too where that has a port, and a Unix socket when one is named. */
  static readonly layerNet = (options: ListenOptions) => Layer.scoped(this, listenAll(options))
}
