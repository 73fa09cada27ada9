// Package server puts the surfaces together: routes, the order of middleware, health and
// metrics. It decides nothing about tokens or accounts.
package server
