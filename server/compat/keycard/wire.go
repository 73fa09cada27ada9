package keycard

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/signet-issuer/signet/accounts"
	"github.com/signet-issuer/signet/server/web"
)

// object is a service account or a credential. What it does not have is left out, as in the
// models of the clients.
type object struct {
	ID           string      `json:"id"`
	ClientID     string      `json:"client_id,omitzero"`
	ClientSecret string      `json:"client_secret,omitzero"` // in the answer that made it, and in no other
	Name         string      `json:"name"`
	Description  string      `json:"description,omitzero"`
	CreatedAt    string      `json:"created_at"`
	UpdatedAt    string      `json:"updated_at,omitzero"`   // of an account
	LastUsedAt   string      `json:"last_used_at,omitzero"` // of a credential
	Permissions  permissions `json:"permissions,omitzero"`
}

// permissions says what the caller may do with an object or in a list, by type of resource.
type permissions map[string]map[string]bool

const (
	accountType    = "service_accounts"
	credentialType = "service_account_credentials"
)

func wireAccount(a accounts.ServiceAccount, of permissions) object {
	return object{
		ID: accounts.ShortID(a.ID), Name: a.Name, Description: a.Description,
		CreatedAt: wireTime(a.CreatedAt), UpdatedAt: wireTime(a.UpdatedAt), Permissions: of,
	}
}

func wireCredential(k accounts.Credential, of permissions) object {
	return object{
		ID: accounts.ShortID(k.ID), ClientID: k.ClientID, Name: k.Name, Description: k.Description,
		CreatedAt: wireTime(k.CreatedAt), LastUsedAt: wireTime(k.LastUse.At), Permissions: of,
	}
}

// wireTime is empty for the zero time. It has microseconds, as the store keeps them.
func wireTime(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05.000000Z")
}

type objects struct {
	Items       []object    `json:"items"`
	PageInfo    pageInfo    `json:"page_info"`
	Permissions permissions `json:"permissions,omitzero"`
}

// pageInfo has the cursors of the first and last item, if there are any.
type pageInfo struct {
	HasNextPage bool   `json:"has_next_page"`
	HasPrevPage bool   `json:"has_prev_page"`
	StartCursor string `json:"start_cursor,omitzero"`
	EndCursor   string `json:"end_cursor,omitzero"`
}

func newPage(page accounts.Page, n int, item func(i int) object) objects {
	answer := objects{Items: make([]object, n), PageInfo: pageInfo{HasNextPage: page.Next, HasPrevPage: page.Prev}}
	for i := range answer.Items {
		answer.Items[i] = item(i)
	}
	if n > 0 {
		answer.PageInfo.StartCursor, answer.PageInfo.EndCursor = answer.Items[0].ID, answer.Items[n-1].ID
	}
	return answer
}

// written is what a caller writes of an account or a credential.
type written struct {
	Name        web.Field[string] `json:"name"`
	Description web.Field[string] `json:"description"`
}

func (c *call) body() (written, error) {
	var body written
	err := web.ReadJSON(c.Request, &body)
	switch {
	case err != nil:
		return written{}, err
	case body.Name.Null:
		return written{}, invalid("name", "must be a string")
	case body.Description.Null:
		return written{}, invalid("description", "must be a string")
	}
	return body, nil
}

// optional is a member of a PATCH.
func optional(member web.Field[string]) accounts.Optional[string] {
	return accounts.Optional[string]{Value: member.Value, Present: member.Set}
}

func invalid(field, message string) error {
	return web.Invalid(web.FieldError{Field: field, Message: message})
}

// org is named by its id or its label, which is the slug.
func (c *call) org() accounts.Ref { return accounts.ParseRef(web.Var(c.Request, "organization_id")) }

func (c *call) account() accounts.AccountRef {
	return accounts.AccountRef{Org: c.org(), Account: accounts.ByID(c.id("service_account_id"))}
}

// id reads an id from the path. What is no id is the zero id, which no object has.
func (c *call) id(name string) uuid.UUID {
	id, _ := parseID(web.Var(c.Request, name))
	return id
}

// parseID reads an id in the spelling of this door: 26 characters of base32.
func parseID(text string) (uuid.UUID, bool) {
	id, ok := accounts.ParseID(text)
	if !ok || accounts.ShortID(id) != text {
		return uuid.UUID{}, false
	}
	return id, true
}

// expands reports whether the caller asks for permissions. Other values are passed over, as
// Keycard does with those for which an operation has no use: total_count is one. Clients of
// some versions send one list with commas.
func (c *call) expands() bool {
	for _, name := range expandParams {
		for _, sent := range c.query[name] {
			if slices.Contains(strings.Split(sent, ","), "permissions") {
				return true
			}
		}
	}
	return false
}

const (
	defaultLimit = 50
	maxLimit     = 100
)

// page reads which part of a list is asked for.
func (c *call) page() (accounts.Query, error) {
	limit, err := web.QueryNumber(c.query, "limit", defaultLimit, maxLimit)
	if err != nil {
		return accounts.Query{}, err
	}
	after, err := c.cursor("after")
	if err != nil {
		return accounts.Query{}, err
	}
	before, err := c.cursor("before")
	return accounts.Query{ByID: true, Limit: limit, After: after, Before: before}, err
}

// cursor reads the id of an object, which need not be there any more.
func (c *call) cursor(name string) (uuid.UUID, error) {
	sent, ok := c.query[name]
	if !ok {
		return uuid.UUID{}, nil
	}
	id, ok := parseID(sent[0])
	if !ok {
		return uuid.UUID{}, web.BadRequest("the parameter " + name + " must be a cursor of this list")
	}
	return id, nil
}
