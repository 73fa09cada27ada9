package tokens

import (
	"slices"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/authz"
)

// maxAudiences is for how many one token may be, so that it fits the headers of common servers.
const maxAudiences = 16

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
		if !accounts.ValidResource(resource) {
			return nil, &TargetError{"a resource must be an absolute URI without a fragment"}
		}
		if resource != i.issuer && !accounts.OwnsAudience(i.issuer, standing.OrgSlug, standing.Audiences, resource) {
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
	// What the store says is checked again: a token for another org's servers must not be.
	if chosen := standing.DefaultAudience; chosen != "" && accounts.OwnsAudience(i.issuer, standing.OrgSlug, standing.Audiences, chosen) {
		return chosen
	}
	return accounts.DefaultAudience(i.issuer, standing.OrgSlug)
}
