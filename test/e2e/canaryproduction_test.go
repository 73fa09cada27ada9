package e2e_test

import (
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/signet-issuer/signet/internal/engines"
)

// Passwords of the servers beside Signet.
const (
	databasePassword = "CANARY-postgres-2b7e"
	redisPassword    = "CANARY-redis-91fa"
	wrongPassword    = "CANARY-wrong-0c4d"
)

// TestI29_NothingSecretReachesPostgreSQLOrRedis is the same on PostgreSQL and Redis: of what is
// stored there, every column and every command that was ever sent is searched.
func TestI29_NothingSecretReachesPostgreSQLOrRedis(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	redis, err := engines.StartRedis(t.Context(), folder)
	engines.Check(t, err)
	t.Cleanup(func() { closeEngine(t, redis.Close) })
	_, err = redis.Do(t.Context(), "ACL", "SETUSER", "signet", "on", ">"+redisPassword, "~signet:*", "+@all")
	must(t, err)
	database := strings.Replace(engines.Database(t), engines.Superuser+"@", engines.Superuser+":"+databasePassword+"@", 1)
	master := newMasterKey()
	p := newReplicas(t, 1, "SIGNET_DATABASE_URL="+database, "SIGNET_MASTER_KEY="+master, "SIGNET_LOG_LEVEL=debug",
		"SIGNET_REDIS_URL=redis://signet:"+redisPassword+"@"+redis.Addr())[0]

	c := newCanary()
	for what, password := range map[string]string{
		"the database's password": databasePassword, "the password of Redis": redisPassword, "a wrong password": wrongPassword,
	} {
		c.add(what, password)
	}
	root := p.bootstrap(t)
	c.add("the administrator's secret", root.Secret)
	s := p.serve(t)
	admin := s.api(t, c.watch).as(root)
	m := ordinaryUse(t, admin)
	hostileUse(t, admin, m)
	readEverything(t, admin, c)
	c.lookAtTables(t, "running", p)
	s.stop(t)
	c.lookAtOutput("", s)
	c.lookAtTables(t, "stopped", p)

	s = p.serve(t)
	s.api(t, c.watch).as(root).token(m.login)
	s.signal(syscall.SIGQUIT, stopWithin)
	c.lookAtOutput(" of a crash", s)
	c.lookAtRedis(t, folder)
	wrongConnections(t, c, p, database, redis.Addr())
	addSealed(t, p, c, master)

	c.judgeAll(t)
	proveSearch(t, c,
		plantedName+" is in running service_accounts", plantedID+" is in stopped audit_events",
		plantedUserAgent+" is in stopped last_uses", plantedUserAgent+" is in the commands to Redis")
}

// wrongConnections meets refusals of both servers.
func wrongConnections(t *testing.T, c *canary, p *place, database, redisAddr string) {
	t.Helper()
	for _, wrong := range []struct{ command, env string }{
		{"keys list", "SIGNET_DATABASE_URL=" + strings.Replace(database, "/test", "/no-such-database-", 1)},
		{"migrate", "SIGNET_DATABASE_URL=" + strings.Replace(database, "postgres://", "postgres:/", 1)},
		{"migrate", "SIGNET_DATABASE_URL=" + database + "&sslmode=" + databasePassword},
		{"config check", "SIGNET_REDIS_URL=redis://signet:" + redisPassword + "@" + redisAddr + "/" + redisPassword},
		{"serve", "SIGNET_REDIS_URL=rediss://signet:" + redisPassword + "@" + redisAddr + "?ca_file=no-such-file"},
	} {
		other := *p
		other.env = append(other.env[:len(other.env):len(other.env)], wrong.env)
		said := other.run(t, strings.Fields(wrong.command)...)
		if said.code != 1 || said.stderr == "" {
			t.Errorf("%s: code %d, want a refusal: %s", wrong.command, said.code, said.stderr)
		}
		c.look("a refused start", []byte(said.stdout+said.stderr))
	}
	other := *p
	other.env = append(other.env[:len(other.env):len(other.env)], "SIGNET_REDIS_URL=redis://signet:"+wrongPassword+"@"+redisAddr)
	s := other.serve(t)
	eventually(t, 5*time.Second, "Redis refuses a wrong password", func() bool {
		verbose := s.plain(t).get("/readyz?verbose").body
		c.look("readiness", verbose)
		return !strings.Contains(string(verbose), "redis: ok")
	})
	s.stop(t)
	c.lookAtOutput(" with a wrong password", s)
}

// lookAtTables adds every column of every row in the database.
func (c *canary) lookAtTables(t *testing.T, moment string, p *place) {
	t.Helper()
	db := openTruth(t, p)
	var tables []string
	eachRow(t, db, "SELECT CAST(table_name AS TEXT) FROM information_schema.tables WHERE table_schema = 'public'",
		func(row []any) { tables = append(tables, row[0].(string)) })
	if len(tables) < 10 {
		t.Errorf("only the tables %v", tables)
	}
	for _, table := range tables {
		eachRow(t, db, `SELECT * FROM "`+table+`"`, func(row []any) {
			for _, value := range row {
				if raw, ok := value.([]byte); ok {
					c.look(moment+" "+table, raw)
					continue
				}
				c.look(moment+" "+table, fmt.Append(nil, value))
			}
		})
	}
}

// lookAtRedis adds the file to which Redis appends every writing command as it was sent.
func (c *canary) lookAtRedis(t *testing.T, folder string) {
	t.Helper()
	found := 0
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(entry.Name(), ".aof") {
			found++
			c.look("the commands to Redis", readFile(t, path))
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("no file of commands (%v)", err)
	}
}
