// Package client talks to the native API of a Signet server.
//
// Every method may return an [*Error], which is one of the sentinels of this package by
// [errors.Is]. Organizations, roles and service accounts are named by slug or id.
package client
