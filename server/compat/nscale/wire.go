package nscale

import (
	"regexp"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

// resource is an object as it is read. Nothing here is ever anything but ready and healthy:
// clients know no word for a machine that was disabled.
type resource[Spec any] struct {
	Metadata metadata       `json:"metadata"`
	Spec     Spec           `json:"spec"`
	Status   *accountStatus `json:"status,omitzero"`
}

type metadata struct {
	ID                 string         `json:"id"`
	Name               string         `json:"name"`
	Description        string         `json:"description,omitzero"`
	Tags               []accounts.Tag `json:"tags,omitempty"`
	OrganizationID     string         `json:"organizationId,omitzero"`
	CreationTime       string         `json:"creationTime"`
	CreatedBy          string         `json:"createdBy,omitzero"`
	ModifiedTime       string         `json:"modifiedTime,omitzero"`
	ModifiedBy         string         `json:"modifiedBy,omitzero"`
	ProvisioningStatus string         `json:"provisioningStatus"`
	HealthStatus       string         `json:"healthStatus"`
}

func newMetadata(id uuid.UUID, name string, stamp accounts.Stamp) metadata {
	m := metadata{
		ID: id.String(), Name: name, CreationTime: wireTime(stamp.CreatedAt), CreatedBy: stamp.CreatedBy,
		ProvisioningStatus: "provisioned", HealthStatus: "healthy",
	}
	if !stamp.UpdatedAt.Equal(stamp.CreatedAt) {
		m.ModifiedTime, m.ModifiedBy = wireTime(stamp.UpdatedAt), stamp.UpdatedBy
	}
	return m
}

// in says which organization the object is of and what its administrators note about it.
func (m metadata) in(org uuid.UUID, description string, tags []accounts.Tag) metadata {
	m.OrganizationID, m.Description, m.Tags = org.String(), description, tags
	return m
}

func wireTime(at time.Time) string { return at.UTC().Format(time.RFC3339) }

type accountSpec struct {
	GroupIDs []string `json:"groupIDs"`
}

type accountStatus struct {
	Expiry      string `json:"expiry"`
	AccessToken string `json:"accessToken,omitzero"` // when it was made just now
}

func wireAccount(s accounts.ServiceAccount) resource[accountSpec] {
	expiry := s.TokenExpiresAt
	if expiry.IsZero() {
		expiry = s.CreatedAt // the token that it never had was never good
	}
	return resource[accountSpec]{
		Metadata: newMetadata(s.ID, s.Name, s.Stamp).in(s.OrgID, s.Description, s.Tags),
		Spec:     accountSpec{GroupIDs: idTexts(s.Groups)},
		Status:   &accountStatus{Expiry: wireTime(expiry)},
	}
}

// wireIssued is an account with the token that was just made for it.
func wireIssued(made accounts.Issued) resource[accountSpec] {
	shown := wireAccount(made.Account)
	shown.Status = &accountStatus{Expiry: wireTime(made.Credential.ExpiresAt), AccessToken: made.Secret.Reveal()}
	return shown
}

type groupSpec struct {
	RoleIDs           []string `json:"roleIDs"`
	ServiceAccountIDs []string `json:"serviceAccountIDs"`
}

func wireGroup(g accounts.Group) resource[groupSpec] {
	return resource[groupSpec]{
		Metadata: newMetadata(g.ID, g.Name, g.Stamp).in(g.OrgID, g.Description, g.Tags),
		Spec:     groupSpec{RoleIDs: idTexts(g.RoleIDs), ServiceAccountIDs: idTexts(g.Members)},
	}
}

// role has nothing but metadata. Names have no spaces here, so the slug is the name.
type role struct {
	Metadata metadata `json:"metadata"`
}

func wireRole(r accounts.Role) role {
	m := newMetadata(r.ID, r.Slug, r.Stamp)
	m.Description = r.Name
	return role{m}
}

type organizationSpec struct {
	OrganizationType string `json:"organizationType"`
}

func wireOrganization(o accounts.Org) resource[organizationSpec] {
	m := newMetadata(o.ID, o.Slug, o.Stamp)
	m.Description = o.Name
	return resource[organizationSpec]{Metadata: m, Spec: organizationSpec{"adhoc"}}
}

func idTexts(ids []uuid.UUID) []string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = id.String()
	}
	return texts
}

// written is the body of a POST or PUT. What a PUT does not have is cleared.
type written[Spec any] struct {
	Metadata *writtenMetadata `json:"metadata"`
	Spec     *Spec            `json:"spec"`
}

type writtenMetadata struct {
	Name        string                  `json:"name"`
	Description web.Field[string]       `json:"description"`
	Tags        web.Field[[]writtenTag] `json:"tags"`
}

type writtenTag struct {
	Name  *string `json:"name"`
	Value *string `json:"value"`
}

type writtenGroupSpec struct {
	groupSpec
	UserIDs  []any `json:"userIDs"`
	Subjects []any `json:"subjects"`
}

// described is what metadata reads as.
type described struct {
	name, description string
	tags              []accounts.Tag
}

// fieldErrors collects the members that break the documented shape.
type fieldErrors struct{ fields []web.FieldError }

func (f *fieldErrors) that(ok bool, field, message string) {
	if !ok {
		f.fields = append(f.fields, web.FieldError{Field: field, Message: message})
	}
}

func (f *fieldErrors) err() error {
	if len(f.fields) == 0 {
		return nil
	}
	return web.Invalid(f.fields...)
}

var nameShape = regexp.MustCompile(`^[0-9A-Za-z](?:[0-9A-Za-z_.-]{0,61}[0-9A-Za-z])?$`)

// read decodes a body and checks that all that is required is there.
func read[Spec any](c *call, check func(*fieldErrors, Spec)) (d described, spec Spec, err error) {
	var body written[Spec]
	if err := web.ReadJSON(c.r, &body); err != nil {
		return d, spec, err
	}
	var bad fieldErrors
	bad.that(body.Metadata != nil, "metadata", "is required")
	bad.that(body.Spec != nil, "spec", "is required")
	if err := bad.err(); err != nil {
		return d, spec, err
	}
	check(&bad, *body.Spec)
	d = body.Metadata.read(&bad)
	return d, *body.Spec, bad.err()
}

func (m writtenMetadata) read(bad *fieldErrors) described {
	bad.that(nameShape.MatchString(m.Name), "metadata.name",
		"is required: 1 to 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends")
	bad.that(!m.Description.Null, "metadata.description", "must be a string")
	bad.that(!m.Tags.Null, "metadata.tags", "must be an array")
	tags := make([]accounts.Tag, len(m.Tags.Value))
	for i, tag := range m.Tags.Value {
		at := "metadata.tags[" + strconv.Itoa(i) + "]"
		bad.that(tag.Name != nil && tag.Value != nil, at, "must have a name and a value")
		if tag.Name != nil && tag.Value != nil {
			tags[i] = accounts.Tag{Name: *tag.Name, Value: *tag.Value}
		}
	}
	return described{m.Name, m.Description.Value, tags}
}

func checkAccount(bad *fieldErrors, spec accountSpec) {
	bad.that(spec.GroupIDs != nil, "spec.groupIDs", "is required")
}

func checkGroup(bad *fieldErrors, spec writtenGroupSpec) {
	bad.that(spec.RoleIDs != nil, "spec.roleIDs", "is required")
	bad.that(spec.ServiceAccountIDs != nil, "spec.serviceAccountIDs", "is required")
	bad.that(len(spec.UserIDs) == 0 && len(spec.Subjects) == 0, "spec", "must name no users, of whom there are none here")
	for _, text := range spec.RoleIDs {
		_, ok := parseUUID(text)
		bad.that(ok, "spec.roleIDs", "names a role that does not exist")
	}
	for _, text := range spec.ServiceAccountIDs {
		_, ok := parseUUID(text)
		bad.that(ok, "spec.serviceAccountIDs", "names a service account that does not exist")
	}
}

// parseIDs leaves out what is no id, and so can name nothing.
func parseIDs(texts []string) []uuid.UUID {
	ids := []uuid.UUID{}
	for _, text := range texts {
		if id, ok := parseUUID(text); ok {
			ids = append(ids, id)
		}
	}
	return ids
}
