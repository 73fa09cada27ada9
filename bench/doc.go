// Command bench measures what a token costs the server, beside the floor: a bare net/http
// handler that reads the form, signs a fixed ES256 token and writes the JSON. Both run as
// processes of their own under the same load, in turns, so that a busy machine slows
// both alike. It measures Linux processes only.
//
//	go run ./bench
//	go run ./bench -rounds 10 -tokens 20000 -connections 32
//	go run ./bench -binary bin/signet
package main
