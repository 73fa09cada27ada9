package archtest

// everywhere may be imported by every package of ours.
const everywhere = "internal/secret"

// plan is the import table: each package and what it may import of ours. A pattern that
// ends in "/*" stands for the packages beneath. A package that is not here may not exist.
var plan = map[string][]string{
	"authz":              {},
	"config":             {},
	"client":             {},
	"client/verify":      {},
	"internal/archtest":  {},
	"internal/datadir":   {},
	"internal/engines":   {},
	"internal/secret":    {},
	"internal/sqldb":     {},
	"internal/testenv":   {"*"},
	"internal/audit":     {"authz"},
	"accounts":           {"authz", "internal/audit"},
	"accounts/sqlstore":  {"accounts", "authz", "internal/audit", "internal/sqldb"},
	"accounts/storetest": {"accounts", "authz", "internal/audit"},
	"tokens":             {"accounts", "authz", "internal/audit"},
	"tokens/sqlstore":    {"accounts", "tokens", "authz", "internal/audit", "internal/sqldb"},
	"tokens/limits":      {},
	"tokens/writebehind": {"accounts", "tokens"},
	"tokens/localstate":  {"accounts", "tokens", "tokens/limits", "tokens/writebehind", "internal/sqldb"},
	"tokens/redisstate":  {"accounts", "tokens", "tokens/limits", "tokens/writebehind"},
	"tokens/storetest":   {"accounts", "tokens", "authz", "internal/audit"},
	"tokens/statetest":   {"accounts", "tokens"},
	"server/web":         {},
	"server/authn":       {"accounts", "authz", "tokens", "server/web", "client/verify"},
	"server/oauth":       surface,
	"server/admin":       surface,
	"server/console":     surface,
	"server/compat/*":    surface,
	"server":             {"accounts", "authz", "tokens", "server/*"},
	"cmd/signet":         {"*"},
	"test":               {"*"},
	"test/*":             {"*"},
	"bench":              {"*"},
	"docs":               {"config"},
	"deploy":             {"config"},
}

var surface = []string{"accounts", "authz", "tokens", "server/web", "server/authn"}

// homes tells for each library, by the beginning of its import path, the only packages or
// files that may import it. None means nobody.
var homes = []struct {
	library string
	allowed []string
}{
	{"modernc.org/sqlite", []string{"internal/sqldb"}},
	{"github.com/mattn/go-sqlite3", nil},
	{"github.com/ncruces/go-sqlite3", nil},
	{"github.com/jackc/pgx", []string{"internal/sqldb"}},
	{"github.com/pressly/goose", []string{"internal/sqldb"}},
	{"github.com/redis/go-redis", []string{"tokens/redisstate"}},
	{"github.com/golang-jwt/jwt", append([]string{"bench"}, jose...)}, // the floor signs as bare as can be
	{"github.com/go-jose/go-jose", jose},
	{"github.com/go-oauth2/oauth2", []string{"server/oauth/engine.go"}},
	{"github.com/knadh/koanf", []string{"config"}},
	{"github.com/spf13/cobra", []string{"cmd/signet"}},
	{"github.com/gorilla/mux", []string{"server", "server/web"}},
	{"github.com/Shopify/toxiproxy", []string{"test/rig"}},
	// They run code or open doors by being imported.
	{"net/http/pprof", nil},
	{"expvar", nil},
	{"plugin", nil},
	{"unsafe", nil},
	{"C", nil},
}

var jose = []string{"tokens", "server/authn", "client/verify"}

// unknowing lists what a package must not know about at all.
var unknowing = map[string][]string{
	"authz":    {"net/http", "database/sql", "os", "io/fs", "log/slog"},
	"accounts": {"net/http", "database/sql"},
	"tokens":   {"net/http", "database/sql"},
}

const (
	maxFileLines     = 400
	maxTestFileLines = 600
	maxFuncLines     = 50
)
