package tokens

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"strings"
	"testing"
)

// only says which functions alone may select a name, and so come nearer to a private key.
var only = map[string][]string{"mint": {"Issuer.Issue", "Issuer.Passport"}, "sign": {"Issuer.mint"}, "private": {"signer.sign"}}

// selections finds where a file selects one of those names, as "function selects name".
func selections(t *testing.T, name string, source any) (found []string) {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	for _, decl := range file.Decls {
		where := "a declaration"
		if function, ok := decl.(*ast.FuncDecl); ok {
			where = functionName(function)
		}
		ast.Inspect(decl, func(node ast.Node) bool {
			if selector, ok := node.(*ast.SelectorExpr); ok && only[selector.Sel.Name] != nil {
				found = append(found, where+" selects "+selector.Sel.Name)
			}
			return true
		})
	}
	return found
}

func functionName(function *ast.FuncDecl) string {
	if function.Recv == nil {
		return function.Name.Name
	}
	receiver := function.Recv.List[0].Type
	if star, ok := receiver.(*ast.StarExpr); ok {
		receiver = star.X
	}
	return fmt.Sprintf("%s.%s", receiver, function.Name.Name)
}

func TestI3_NothingButTheIssuerReachesTheSigner(t *testing.T) {
	files, err := fs.Glob(os.DirFS("."), "*.go")
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, selection := range selections(t, name, nil) {
			counts[selection]++
		}
	}
	for name, functions := range only {
		for _, function := range functions {
			allowed := function + " selects " + name
			if counts[allowed] != 1 {
				t.Errorf("%s %d times", allowed, counts[allowed])
			}
			delete(counts, allowed)
		}
	}
	for selection, n := range counts {
		t.Errorf("%s, %d times", selection, n)
	}
}

func TestI3_TheTestSeesOtherWays(t *testing.T) {
	for source, want := range map[string]string{
		`func (r *Registry) Extend(s *signer) { s.sign(nil) }`:                    "Registry.Extend selects sign",
		`func again(k *Keys) { f := k.current.Load().signer.sign; f(nil) }`:       "again selects sign",
		`var shortcut = (*signer).sign`:                                           "a declaration selects sign",
		`func (r *Registry) Renew(i *Issuer) { i.mint(nil, nil, bearer{}, nil) }`: "Registry.Renew selects mint",
		`func (s signer) raw() any { return s.private }`:                          "signer.raw selects private",
	} {
		if found := selections(t, "other.go", "package tokens\n"+source); len(found) != 1 || found[0] != want {
			t.Errorf("in %s found %q", source, found)
		}
	}
}
