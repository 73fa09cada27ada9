// Package engines runs real PostgreSQL and Redis servers for tests and rigs: as direct
// children on free ports of loopback, which can be killed, paused and started again.
//
// A child dies with this process, however that ends. Servers that share one test binary
// come from [Database] and [RedisURL]; a test that disturbs its server starts its own.
package engines
