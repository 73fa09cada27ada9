// Command rig breaks a running Signet in every way that operations knows of, under load, and
// reports each promise that did not hold. It starts replicas, PostgreSQL and Redis as its own
// children on 127.0.0.1, with a proxy on every link, and ends by itself. What it finds in a run
// is one line of JSON on stdout; the exit code is 1 when anything was violated.
//
//	go run ./test/rig
//	go run ./test/rig -only redis-flushed,propagation-redis
//	go run ./test/rig -tier long -seed 7
//	go run ./test/rig -list
package main
