// Command bench measures what a token costs the server, beside the floor: a bare net/http
// handler that reads the form, signs a fixed ES256 token and writes the JSON. The embedded
// server, one on a PostgreSQL and Redis that it starts, and the floor run as processes of
// their own under the same load, in turns, so that a busy machine slows all alike. What the
// databases themselves cost is not counted. It measures Linux processes only.
//
//	go run ./bench
//	go run ./bench -rounds 10 -tokens 20000 -connections 32
//	go run ./bench -binary bin/signet
package main
