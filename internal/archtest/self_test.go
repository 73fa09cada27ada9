package archtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

func synthetic(t *testing.T, files map[string]string) tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for name, text := range files {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return load(t, fsys)
}

func ours(name string) string { return fmt.Sprintf("import _ %q\n", module+"/"+name) }

const fuzzTarget = "package authz\nimport \"testing\"\nfunc FuzzX(f *testing.F) { %s }\n"

// Each rule is shown a tree that breaks it, and only it.
func TestRulesCanFail(t *testing.T) {
	long := strings.Repeat("// x\n", maxFileLines)
	for _, tc := range []struct{ rule, path, text string }{
		{"every package is in the plan", "common/x.go", "package common\n"},
		{"every package is in the plan", "x.go", "package signet\n"},
		{"every package is in the plan", "common/x_test.go", "package common\n"},
		{"every package is in the plan", "server/compatible/x.go", "package compatible\n"},
		{"imports follow the plan", "authz/x.go", "package authz\n" + ours("accounts")},
		{"imports follow the plan", "accounts/x.go", "package accounts\n" + ours("accounts/sqlstore")},
		{"imports follow the plan", "accounts/x.go", "package accounts\n" + ours("config")},
		{"imports follow the plan", "server/oauth/x.go", "package oauth\n" + ours("server/admin")},
		{"imports follow the plan", "server/compat/nscale/x.go", "package nscale\n" + ours("server/compat/keycard")},
		{"imports follow the plan", "server/web/x.go", "package web\n" + ours("authz")},
		{"imports follow the plan", "server/x.go", "package server\n" + ours("accounts/sqlstore")},
		{"imports follow the plan", "internal/sqldb/x.go", "package sqldb\n" + ours("internal/audit")},
		{"libraries stay at home", "accounts/x.go", "package accounts\nimport _ \"modernc.org/sqlite\"\n"},
		{"libraries stay at home", "internal/sqldb/x.go", "package sqldb\nimport _ \"github.com/mattn/go-sqlite3\"\n"},
		{"libraries stay at home", "tokens/x.go", "package tokens\nimport _ \"github.com/redis/go-redis/v9\"\n"},
		{"libraries stay at home", "server/oauth/x.go", "package oauth\nimport _ \"github.com/golang-jwt/jwt/v5\"\n"},
		{"libraries stay at home", "server/oauth/token.go", "package oauth\nimport _ \"github.com/go-oauth2/oauth2/v4/server\"\n"},
		{"libraries stay at home", "server/x.go", "package server\nimport _ \"github.com/knadh/koanf/v2\"\n"},
		{"libraries stay at home", "config/x.go", "package config\nimport _ \"github.com/spf13/cobra\"\n"},
		{"libraries stay at home", "server/x.go", "package server\nimport _ \"net/http/pprof\"\n"},
		{"libraries stay at home", "authz/x.go", "package authz\nimport \"unsafe\"\n"},
		{"domains know no transport", "accounts/x.go", "package accounts\nimport _ \"net/http\"\n"},
		{"domains know no transport", "authz/x.go", "package authz\nimport _ \"os\"\n"},
		{"files and functions stay short", "authz/x.go", "package authz\n" + long},
		{"files and functions stay short", "authz/x_test.go", "package authz\n" + long + long},
		{"files and functions stay short", "authz/x.go", "package authz\nfunc f() {\n" + strings.Repeat("_ = 0\n", maxFuncLines) + "}\n"},
		{"nothing runs by being imported", "authz/x.go", "package authz\nfunc init() {}\n"},
		{"only main ends the process", "config/x.go", "package config\nimport \"os\"\nfunc f() { os.Exit(1) }\n"},
		{"only main ends the process", "cmd/signet/x.go", "package main\nimport \"log\"\nfunc f() { log.Fatal() }\n"},
		{"only main ends the process", "cmd/signet/x.go", "package main\nimport \"os\"\nvar f = func() { os.Exit(1) }\n"},
		{"fuzz targets have seeds", "authz/x_test.go", fmt.Sprintf(fuzzTarget, "")},
		{"fuzz targets have seeds", "authz/x_test.go", fmt.Sprintf(fuzzTarget, "g.Add(1)")},
		{"no marks of unfinished work", "authz/x.go", "package authz\n// TO" + "DO: later\n"},
		{"lint exceptions name their rule", "authz/x.go", "package authz\nvar x = 1 //nolint\n"},
		{"lint exceptions name their rule", "authz/x.go", "package authz\nvar x = 1 //nolint:errcheck\n"},
	} {
		t.Run(tc.rule+"/"+tc.path, func(t *testing.T) {
			broken := synthetic(t, map[string]string{tc.path: tc.text})
			for name, rule := range rules {
				violations := rule(broken)
				if name == tc.rule && len(violations) != 1 {
					t.Errorf("violations %q, want one", violations)
				}
				if name != tc.rule && len(violations) != 0 {
					t.Errorf("%s complains too: %q", name, violations)
				}
			}
			for _, violation := range rules[tc.rule](broken) {
				if !strings.HasPrefix(violation, tc.path) {
					t.Errorf("%q does not name the file", violation)
				}
			}
		})
	}
}

func TestRulesAcceptTheHouse(t *testing.T) {
	good := synthetic(t, map[string]string{
		"accounts/x.go":                 "package accounts\n" + ours("authz") + ours("internal/audit") + ours("internal/secret"),
		"accounts/sqlstore/x.go":        "package sqlstore\n" + ours("accounts") + ours("internal/sqldb"),
		"accounts/x_test.go":            "package accounts_test\n" + ours("accounts/sqlstore") + "import _ \"net/http\"\n",
		"server/x.go":                   "package server\n" + ours("server/compat/nscale") + ours("server/web"),
		"server/compat/nscale/x.go":     "package nscale\n" + ours("server/authn"),
		"server/oauth/engine.go":        "package oauth\nimport _ \"github.com/go-oauth2/oauth2/v4/server\"\n",
		"internal/sqldb/x.go":           "package sqldb\nimport _ \"modernc.org/sqlite\"\n",
		"cmd/signet/main.go":            "package main\nimport \"os\"\n" + ours("config") + ours("accounts/sqlstore") + "func main() { os.Exit(0) }\n",
		"test/rig/x.go":                 "package rig\n" + ours("server"),
		"authz/a_test.go":               fmt.Sprintf(fuzzTarget, "for range 2 { f.Add(1) }"),
		"authz/b_test.go":               strings.ReplaceAll(fmt.Sprintf(fuzzTarget, ""), "FuzzX", "FuzzY"),
		"authz/testdata/fuzz/FuzzY/one": "go test fuzz v1\n",
		"authz/testdata/ignored.go":     "not Go at all",
		"authz/c.go":                    "package authz\ntype t struct{}\nfunc (t) init() {}\nvar x = 1 //nolint:unused // kept for the reader\n",
	})
	for name, rule := range rules {
		if violations := rule(good); len(violations) != 0 {
			t.Errorf("%s: %q", name, violations)
		}
	}
}

func TestEveryRuleIsShownToFail(t *testing.T) {
	if len(rules) != 10 {
		t.Errorf("%d rules: show the new one a tree that breaks it, then correct this number", len(rules))
	}
	for pattern, row := range plan {
		for _, allowed := range row {
			if _, planned := plan[allowed]; !planned && !strings.HasSuffix(allowed, "*") {
				t.Errorf("%s may import %s, which is not in the plan", pattern, allowed)
			}
		}
		if slices.Contains(row, pattern) {
			t.Errorf("%s may import itself", pattern)
		}
	}
}

func TestRequired(t *testing.T) {
	const goMod = "module x\n\nrequire a.example/one v1.0.0\n\nrequire (\n\ta.example/two v2.0.0 // indirect\n\ta.example/two/more v3.0.0\n)\n"
	for path, want := range map[string]string{"a.example/one": "v1.0.0", "a.example/two": "v2.0.0", "a.example/three": ""} {
		if got := required(goMod, path); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
