package admin

import (
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
)

const (
	defaultLimit = 50
	maxLimit     = 100
	maxPage      = 1_000_000
)

type list[T any] struct {
	Results []T `json:"results"`
	Total   int `json:"total"`
}

// listOf encodes the objects of one page.
func listOf[T, W any](objects []T, total int, wire func(T) W) list[W] {
	return list[W]{Results: wires(objects, wire), Total: total}
}

func wires[T, W any](objects []T, wire func(T) W) []W {
	results := make([]W, len(objects))
	for i, object := range objects {
		results[i] = wire(object)
	}
	return results
}

// page reads which page of a list is asked for.
func (c *call) page() (accounts.Query, error) {
	var bad fieldErrors
	page := bad.number("page", c.query["page"], 1, maxPage)
	limit := c.limit(&bad)
	return accounts.Query{Search: c.query.Get("search"), Offset: (page - 1) * limit, Limit: limit}, bad.err()
}

func (c *call) limit(bad *fieldErrors) int {
	return bad.number("limit", c.query["limit"], defaultLimit, maxLimit)
}

// number reads a parameter from 1 to most.
func (f *fieldErrors) number(name string, values []string, standard, most int) int {
	if len(values) == 0 {
		return standard
	}
	n, err := strconv.Atoi(values[0])
	if err != nil || n < 1 || n > most || strconv.Itoa(n) != values[0] {
		f.add(name, "must be a whole number from 1 to "+strconv.Itoa(most))
		return standard
	}
	return n
}

// instant reads a parameter that is a time.
func (f *fieldErrors) instant(name string, values []string) time.Time {
	if len(values) == 0 {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, values[0])
	if err != nil {
		f.add(name, "must be a time such as 2026-01-31T12:00:00Z")
	}
	return at.UTC()
}

// cursor spells where a list goes on: after which event.
func cursor(after uuid.UUID) string { return accounts.ShortID(after) }

// parseCursor reads what [cursor] writes, and nothing else.
func parseCursor(text string) (uuid.UUID, bool) {
	id, ok := accounts.ParseID(text)
	return id, ok && cursor(id) == text
}

// list answers with one page.
func (c *call) list(v any) error { return c.answer(http.StatusOK, v) }
