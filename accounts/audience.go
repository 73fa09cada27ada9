package accounts

import (
	"net/url"
	"slices"
	"strings"
)

// DefaultAudience is the audience of an org that names no other.
func DefaultAudience(issuer, orgSlug string) string { return issuer + "/orgs/" + orgSlug }

// OwnsAudience reports whether the URI is an org's: assigned to it, or its own by nature
// because it is the org's default audience or lies under it.
func OwnsAudience(issuer, orgSlug string, assigned []string, uri string) bool {
	return ValidResource(uri) && (slices.Contains(assigned, uri) || within(uri, DefaultAudience(issuer, orgSlug)))
}

// ValidResource reports whether text can name a resource: an absolute URI without fragment
// (RFC 8707, section 2) of at most [MaxURIBytes]. Only one spelling of equal URIs is valid, so
// that they cannot belong to two orgs: scheme and host in lower case, no default port, no dot segments.
func ValidResource(text string) bool {
	if len(text) > MaxURIBytes || strings.Contains(text, "#") ||
		strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return false
	}
	uri, err := url.Parse(text)
	if err != nil || !uri.IsAbs() || (uri.Host == "" && uri.Opaque == "") {
		return false
	}
	scheme, _, _ := strings.Cut(text, ":")
	return scheme == strings.ToLower(scheme) && canonicalHost(uri) && !uri.ForceQuery && !slices.ContainsFunc(
		strings.Split(uri.Path, "/"), func(segment string) bool { return segment == "." || segment == ".." })
}

func canonicalHost(uri *url.URL) bool {
	port := uri.Port()
	return uri.User == nil && uri.Host == strings.ToLower(uri.Host) && !strings.HasSuffix(uri.Host, ":") &&
		!strings.HasPrefix(port, "0") && !strings.HasSuffix(uri.Hostname(), ".") &&
		(port != "443" || uri.Scheme != "https") && (port != "80" || uri.Scheme != "http")
}

// within reports whether uri is base or lies under it. What a verifier could read as a path
// that leads out again lies nowhere.
func within(uri, base string) bool {
	rest, ok := strings.CutPrefix(uri, base)
	if !ok || rest == "" {
		return ok
	}
	if rest[0] != '/' || strings.ContainsAny(rest, `%?\`) {
		return false
	}
	for segment := range strings.SplitSeq(rest[1:], "/") {
		if segment == "" || segment == "." || segment == ".." {
			return false
		}
	}
	return true
}
