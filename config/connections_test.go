package config

import (
	"slices"
	"strings"
	"testing"
)

const noMaster = "SIGNET_MASTER_KEY_FILE (master_key_file): is required with database_url, since every process needs the same key; " + keyHint

func TestConnectionProblems(t *testing.T) {
	master := "SIGNET_MASTER_KEY=" + goodKey
	database := func(url string) []string { return []string{master, "SIGNET_DATABASE_URL=" + url} }
	redis := func(url string) []string { return []string{"SIGNET_REDIS_URL=" + url} }
	wrongDatabase := func(rule string) string { return "SIGNET_DATABASE_URL (database_url): " + rule + "; " + postgresHint }
	wrongRedis := func(rule string) string { return "SIGNET_REDIS_URL (redis_url): " + rule + "; " + redisHint }
	for _, tc := range []struct {
		name    string
		environ []string
		want    string
	}{
		{"no master key", []string{"SIGNET_DATABASE_URL=" + goodPostgres}, noMaster},
		{"keywords", database("host=h user=u password=CANARY"), wrongDatabase("is not the URL of a PostgreSQL database")},
		{"another database", database("mysql://u:CANARY@h/d"), wrongDatabase("is not the URL of a PostgreSQL database")},
		{"bad escape", database("postgres://u:CANARY%zz@h/d"), wrongDatabase("is not the URL of a PostgreSQL database")},
		{"fragment", database("postgres://u:CAN#ARY@h/d"), wrongDatabase("is not the URL of a PostgreSQL database")},
		{"space", database("postgres://u:CANARY @h/d"), wrongDatabase("is not the URL of a PostgreSQL database")},
		{"bad parameters", database("postgres://u@h/d?password=CANARY%zz"), wrongDatabase("is not the URL of a PostgreSQL database")},
		{"no host", database("postgres://u:CANARY@/d"), wrongDatabase("has no host")},
		{"no database", database("postgres://u:CANARY@h/"), wrongDatabase("has no database name")},
		{"bad port", database("postgres://u:CANARY@h:99999/d"), wrongDatabase("has a port that is not 1 to 65535")},
		{"slash in the password", database("postgres://u:CANARY/x@h/d"), wrongDatabase("has a port that is not 1 to 65535")},
		{"no number of connections", []string{"SIGNET_DATABASE_MAX_CONNS=many"}, "SIGNET_DATABASE_MAX_CONNS (database_max_conns): is not a whole number"},
		{"too few connections", []string{"SIGNET_DATABASE_MAX_CONNS=3"}, "SIGNET_DATABASE_MAX_CONNS (database_max_conns): must be 4 to 1000"},
		{"too many connections", []string{"SIGNET_DATABASE_MAX_CONNS=1001"}, "SIGNET_DATABASE_MAX_CONNS (database_max_conns): must be 4 to 1000"},
		{"switch", []string{"SIGNET_MIGRATE_AT_START=no"}, "SIGNET_MIGRATE_AT_START (migrate_at_start): must be true or false"},

		{"not a Redis", redis("http://CANARY@h:1"), wrongRedis("is not a Redis URL")},
		{"unknown form", redis("redis+ring://CANARY@h:1"), wrongRedis("is not a Redis URL")},
		{"address alone", redis("CANARY:6379"), wrongRedis("is not a Redis URL")},
		{"no Redis host", redis("redis://:CANARY@"), wrongRedis("has no host")},
		{"no second host", redis("redis+cluster://:CANARY@h:1,"), wrongRedis("has no host")},
		{"several hosts", redis("redis://:CANARY@h:1,i:2"), wrongRedis("names several hosts, which only redis+sentinel and redis+cluster have")},
		{"Redis port", redis("redis://:CANARY@h:0"), wrongRedis("has a port that is not 1 to 65535")},
		{"Redis host", redis("redis://:CANARY@::1:6379"), wrongRedis("has a host that is not a name or an address with a port")},
		{"database that is no number", redis("redis://:CANARY@h:1/CANARY"), wrongRedis("has a database that is not a number")},
		{"cluster with a database", redis("redis+cluster://:CANARY@h:1/1"), wrongRedis("names a database, which a cluster does not have")},
		{"sentinels without a master", redis("redis+sentinel://:CANARY@h:1"), wrongRedis("does not name the master that the sentinels watch")},
		{"sentinels, database", redis("redis+sentinel://:CANARY@h:1/m/CANARY"), wrongRedis("has a database that is not a number")},
		{"unknown parameter", redis("rediss://h:1?CANARY=1"), wrongRedis("has a parameter that is none of ca_file, cert_file, key_file")},
		{"parameter of sentinels", redis("rediss://h:1?sentinel_password=CANARY"), wrongRedis("has a parameter that is none of ca_file, cert_file, key_file")},
		{"parameter twice", redis("rediss://h:1?ca_file=CANARY&ca_file=CANARY"), wrongRedis("has a parameter without a value or with several")},
		{"TLS files without TLS", redis("redis://h:1?ca_file=CANARY"), wrongRedis("names TLS files without TLS, which the schemes that begin with rediss have")},
		{"user without password", redis("redis://CANARY@h:1"), wrongRedis("has a user without a password")},
		{"sentinel user without password", redis("redis+sentinel://h:1/m?sentinel_username=CANARY"), wrongRedis("has a sentinel_username without a sentinel_password")},
		{"certificate without key", redis("rediss://h:1?cert_file=CANARY"), wrongRedis("has one of cert_file and key_file without the other")},
		{"prefix", []string{"SIGNET_REDIS_PREFIX=a:CANARY"}, "SIGNET_REDIS_PREFIX (redis_prefix): must be 1 to 64 of A-Z, a-z, 0-9, dot, hyphen and underscore"},
		{"long prefix", []string{"SIGNET_REDIS_PREFIX=" + strings.Repeat("a", 65)}, "SIGNET_REDIS_PREFIX (redis_prefix): must be 1 to 64 of A-Z, a-z, 0-9, dot, hyphen and underscore"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := Load(Sources{Environ: tc.environ})
			if err == nil || err.Error() != tc.want {
				t.Errorf("\n got %v\nwant %s", err, tc.want)
			}
			if err != nil && strings.Contains(err.Error(), "CANARY") {
				t.Error("the error quotes the URL")
			}
		})
	}
}

func TestNotes(t *testing.T) {
	const database, redis, alone = "database_url", "redis_url", "redis_url: alone"
	for _, tc := range []struct {
		database, redis string
		want            []string
	}{
		{"", "", nil},
		{"", "redis://localhost:6379", nil},
		{"", "redis://redis.example.com:6379", []string{redis}},
		{"", "redis+sentinel://127.0.0.1:1,10.0.0.1:2/m/0", []string{redis}},
		{"", "redis+sentinel://127.0.0.1:1,127.0.0.1:2/m", nil},
		{"", "redis+cluster://u:p@[::1]:1,[2001:db8::1]:2", []string{redis}},
		{"", "rediss+cluster://a:1,b:2?ca_file=x&cert_file=y&key_file=z", nil},
		{"", "rediss+sentinel://u:p@a:1/m?sentinel_username=u&sentinel_password=p", nil},
		{"postgres://u:p@localhost/d", "rediss://a", []string{}},
		{"postgresql://127.0.0.1:5432/d", "rediss://a:1/15", nil},
		{"postgres:///d?host=/run/postgresql", "rediss://a:1", nil},
		{"postgres://db.example.com/d", "rediss://a:1", []string{database}},
		{"postgres://db.example.com/d?sslmode=require", "rediss://a:1", []string{database}},
		{"postgres://db.example.com/d?sslmode=verify-full&sslmode=disable", "rediss://a:1", []string{database}},
		{"postgres://db.example.com/d?sslmode=verify-full", "rediss://a:1", nil},
		{"postgres://127.0.0.1:1,10.0.0.2:2/d", "", []string{database, alone}},
		{"postgres://localhost/?dbname=d&host=10.0.0.1", "", []string{database, alone}},
		{"postgres://localhost:5432/d", "", []string{alone}},
	} {
		environ := []string{"SIGNET_MASTER_KEY=" + goodKey}
		if tc.database != "" {
			environ = append(environ, "SIGNET_DATABASE_URL="+tc.database)
		}
		if tc.redis != "" {
			environ = append(environ, "SIGNET_REDIS_URL="+tc.redis)
		}
		config, err := Load(Sources{Environ: environ})
		if err != nil {
			t.Errorf("%s %s: %v", tc.database, tc.redis, err)
			continue
		}
		var got []string
		for _, note := range config.Notes() {
			if tc.redis == "" && note.Key == redis {
				note.Key = alone
			}
			got = append(got, note.Key)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%s %s: notes on %v, want %v", tc.database, tc.redis, got, tc.want)
		}
	}
}
