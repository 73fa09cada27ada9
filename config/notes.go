package config

import "slices"

// Notes lists what is allowed and may not be meant: an operator decides. Like problems, they
// hold no value.
func (c Config) Notes() []Problem {
	var notes []Problem
	note := func(key, rule, hint string) { notes = append(notes, Problem{Key: key, Rule: rule, Hint: hint}) }
	if at, ok := splitURL(c.DatabaseURL.Reveal()); ok && at.elsewhere() && !at.verified() {
		note(named("database_url", c.DatabaseURLFile), "does not prove that the other machine is the right one",
			"add sslmode=verify-full and sslrootcert=FILE, unless the network between is as trusted as this machine")
	}
	if at, ok := splitURL(c.RedisURL.Reveal()); ok && at.elsewhere() && !at.redisTLS() {
		note(named("redis_url", c.RedisURLFile), "leads to another machine without TLS",
			"use a scheme that begins with rediss, unless the network between is as trusted as this machine")
	}
	if !c.DatabaseURL.IsZero() && c.RedisURL.IsZero() {
		note("redis_url", "is not set beside database_url",
			"each process keeps its own list of live tokens and its own rate limits, in its own data_dir")
	}
	return notes
}

// verified reports whether the certificate of a PostgreSQL server is checked with its name.
func (c connection) verified() bool {
	return slices.Equal(c.query["sslmode"], []string{"verify-full"})
}
