package web

import "net/http"

// OneHeader returns the value of a header that must not be repeated, or "" when it is
// absent. net/http itself would hand out the first and drop the others.
func OneHeader(r *http.Request, name string) (string, error) {
	values := r.Header.Values(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", BadRequest("the header " + http.CanonicalHeaderKey(name) + " occurs more than once")
	}
}
