package tokens

import (
	"net/url"
	"slices"
	"strings"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// Limits of what one token may be for, so that it fits the headers of common servers.
const (
	maxAudiences     = 16
	maxAudienceBytes = 512
)

// TargetError refuses a requested resource (RFC 8707, section 2: invalid_target). Reason
// does not repeat what was requested.
type TargetError struct{ Reason string }

func (e *TargetError) Error() string { return e.Reason }

// audience decides for whom a token is and what of allowed is served there.
func (i *Issuer) audience(standing accounts.Standing, req Request) (audience []string, served authz.Set, err error) {
	allowed := standing.Allowed()
	audience, err = i.requestedAudience(standing, req.Resources)
	if err != nil {
		return nil, authz.Set{}, err
	}
	if len(audience) == 0 {
		audience = []string{i.defaultAudience(standing, req, allowed)}
	}
	if audience[0] == i.issuer {
		return audience, allowed.Intersect(authz.AdminScopes), nil
	}
	return audience, allowed.WithoutAdministrative(), nil
}

// requestedAudience checks the resources of a request. The issuer stands alone.
func (i *Issuer) requestedAudience(standing accounts.Standing, resources []string) ([]string, error) {
	var audience []string
	for _, resource := range resources {
		if slices.Contains(audience, resource) {
			continue
		}
		if !absoluteURI(resource) {
			return nil, &TargetError{"a resource must be an absolute URI without a fragment"}
		}
		if resource != i.issuer && !slices.Contains(standing.Audiences, resource) && !within(resource, i.orgAudience(standing)) {
			return nil, &TargetError{"a resource is not one that this client may have tokens for"}
		}
		audience = append(audience, resource)
	}
	if len(audience) > 1 && slices.Contains(audience, i.issuer) {
		return nil, &TargetError{"a token for the issuer is for nothing else"}
	}
	if len(audience) > maxAudiences {
		return nil, &TargetError{"too many resources for one token"}
	}
	return audience, nil
}

// defaultAudience is whom a token is for when the request does not say.
func (i *Issuer) defaultAudience(standing accounts.Standing, req Request, allowed authz.Set) string {
	if req.PreferIssuer || standing.System() {
		return i.issuer
	}
	wanted := allowed
	if !req.Scope.Empty() {
		wanted = req.Scope.Intersect(allowed)
	}
	if wanted.Administrative() {
		return i.issuer
	}
	if standing.DefaultAudience != "" {
		return standing.DefaultAudience
	}
	return i.orgAudience(standing)
}

func (i *Issuer) orgAudience(standing accounts.Standing) string {
	return i.issuer + "/orgs/" + standing.OrgSlug
}

// absoluteURI follows RFC 8707, section 2, within what a token can carry.
func absoluteURI(text string) bool {
	if len(text) > maxAudienceBytes || strings.Contains(text, "#") ||
		strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' }) {
		return false
	}
	u, err := url.Parse(text)
	return err == nil && u.IsAbs() && (u.Host != "" || u.Opaque != "")
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
