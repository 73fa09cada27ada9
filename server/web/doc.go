// Package web is the HTTP ground under every surface: routes and their errors, strict
// bodies, one event per request, and the limits of the server. It knows no domain.
package web
