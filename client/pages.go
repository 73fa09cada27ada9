package client

import (
	"context"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

const pageSize = 100

type page[T any] struct {
	Results []T `json:"results"`
	Total   int `json:"total"`
}

// pages yields every object of a list that matches search, and at most one error, the last.
func pages[T any](ctx context.Context, c *Client, target, search string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for number := 1; ; number++ {
			query := url.Values{"page": {strconv.Itoa(number)}, "limit": {strconv.Itoa(pageSize)}}
			if search != "" {
				query.Set("search", search)
			}
			var got page[T]
			if err := c.call(ctx, http.MethodGet, target+"?"+query.Encode(), nil, &got, nil); err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, object := range got.Results {
				if !yield(object, nil) {
					return
				}
			}
			if len(got.Results) < pageSize || number*pageSize >= got.Total {
				return
			}
		}
	}
}

// whole returns a list that has no pages.
func whole[T any](ctx context.Context, c *Client, target string) ([]T, error) {
	var got page[T]
	err := c.call(ctx, http.MethodGet, target, nil, &got, nil)
	return got.Results, err
}
