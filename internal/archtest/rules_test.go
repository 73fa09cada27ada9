package archtest

import (
	"fmt"
	"go/ast"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"
)

// rules is everything that is checked; each returns one line a violation.
var rules = map[string]func(tree) []string{
	"every package is in the plan":    unplanned,
	"imports follow the plan":         wrongImports,
	"libraries stay at home":          strayLibraries,
	"domains know no transport":       knowing,
	"files and functions stay short":  tooLong,
	"nothing runs by being imported":  inits,
	"only main ends the process":      exits,
	"fuzz targets have seeds":         unseeded,
	"no marks of unfinished work":     marks,
	"lint exceptions name their rule": bareExceptions,
}

func unplanned(t tree) []string {
	var found []string
	for _, s := range t.sources {
		if _, planned := allowedFor(s.dir); !planned {
			found = append(found, s.path+": package "+s.dir+" is not in the plan")
		}
	}
	return found
}

// allowedFor prefers the package's own row to a pattern.
func allowedFor(dir string) ([]string, bool) {
	if row, ok := plan[dir]; ok {
		return row, true
	}
	for pattern, row := range plan {
		if beneath, ok := strings.CutSuffix(pattern, "*"); ok && strings.HasPrefix(dir, beneath) {
			return row, true
		}
	}
	return nil, false
}

func matches(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		if beneath, ok := strings.CutSuffix(pattern, "*"); ok {
			return strings.HasPrefix(name, beneath)
		}
		return pattern == name
	})
}

func wrongImports(t tree) []string {
	var found []string
	for _, s := range t.sources {
		if s.test {
			continue
		}
		allowed, _ := allowedFor(s.dir)
		ours, _ := s.imports()
		for _, imported := range ours {
			if imported != everywhere && !matches(allowed, imported) {
				found = append(found, s.path+": must not import "+imported)
			}
		}
	}
	return found
}

func strayLibraries(t tree) []string {
	var found []string
	for _, s := range t.sources {
		_, others := s.imports()
		for _, imported := range others {
			for _, home := range homes {
				within := imported == home.library || strings.HasPrefix(imported, home.library+"/")
				if within && !s.test && !slices.Contains(home.allowed, s.dir) && !slices.Contains(home.allowed, s.path) {
					found = append(found, s.path+": must not import "+imported)
				}
			}
		}
	}
	return found
}

func knowing(t tree) []string {
	var found []string
	for _, s := range t.sources {
		_, others := s.imports()
		for _, imported := range others {
			if !s.test && slices.Contains(unknowing[s.dir], imported) {
				found = append(found, s.path+": must not know "+imported)
			}
		}
	}
	return found
}

func tooLong(t tree) []string {
	var found []string
	for _, s := range t.sources {
		limit := maxFileLines
		if s.test {
			limit = maxTestFileLines
		}
		if s.lines > limit {
			found = append(found, fmt.Sprintf("%s: %d lines, at most %d", s.path, s.lines, limit))
		}
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok || s.test {
				continue
			}
			lines := t.fset.Position(function.End()).Line - t.fset.Position(function.Pos()).Line + 1
			if lines > maxFuncLines {
				found = append(found, fmt.Sprintf("%s: %s has %d lines, at most %d", s.path, function.Name.Name, lines, maxFuncLines))
			}
		}
	}
	return found
}

func inits(t tree) []string {
	var found []string
	for _, s := range t.sources {
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if ok && !s.test && function.Recv == nil && function.Name.Name == "init" {
				found = append(found, s.path+": has an init function")
			}
		}
	}
	return found
}

// exits reports calls that end the process, but for those in a func main.
func exits(t tree) []string {
	ending := []string{"os.Exit", "log.Fatal", "log.Fatalf", "log.Fatalln", "syscall.Exit"}
	var found []string
	for _, s := range t.sources {
		for _, decl := range s.file.Decls {
			function, isFunc := decl.(*ast.FuncDecl)
			if isFunc && s.file.Name.Name == "main" && function.Recv == nil && function.Name.Name == "main" {
				continue
			}
			ast.Inspect(decl, func(node ast.Node) bool {
				if call, ok := node.(*ast.CallExpr); ok && !s.test && slices.Contains(ending, calledName(call)) {
					found = append(found, s.path+": "+calledName(call)+" outside of func main")
				}
				return true
			})
		}
	}
	return found
}

// calledName spells a call of a package's function or a variable's method, as in os.Exit.
func calledName(call *ast.CallExpr) string {
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	owner, ok := selector.X.(*ast.Ident)
	if !ok {
		return ""
	}
	return owner.Name + "." + selector.Sel.Name
}

func unseeded(t tree) []string {
	var found []string
	for _, s := range t.sources {
		for _, decl := range s.file.Decls {
			function, ok := decl.(*ast.FuncDecl)
			if !ok || !s.test || !strings.HasPrefix(function.Name.Name, "Fuzz") || addsSeeds(function) {
				continue
			}
			corpus := path.Join(s.dir, "testdata/fuzz", function.Name.Name)
			if entries, err := fs.ReadDir(t.fsys, corpus); err != nil || len(entries) == 0 {
				found = append(found, s.path+": "+function.Name.Name+" has no seeds")
			}
		}
	}
	return found
}

func addsSeeds(function *ast.FuncDecl) bool {
	params := function.Type.Params.List
	if len(params) != 1 || len(params[0].Names) != 1 {
		return false
	}
	added := false
	ast.Inspect(function.Body, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		added = added || ok && calledName(call) == params[0].Names[0].Name+".Add"
		return !added
	})
	return added
}

var mark = regexp.MustCompile(`\b(TODO|FIXME|XXX|HACK)\b`)

func marks(t tree) []string {
	return comments(t, func(text string) bool { return mark.MatchString(text) }, "unfinished work")
}

var namedException = regexp.MustCompile(`^//nolint:[a-z]+(,[a-z]+)* // \S`)

func bareExceptions(t tree) []string {
	return comments(t, func(text string) bool {
		return strings.HasPrefix(text, "//nolint") && !namedException.MatchString(text) ||
			strings.HasPrefix(text, "//lint:ignore") || strings.HasPrefix(text, "//go:build ignore")
	}, "an exception without rule and reason")
}

func comments(t tree, bad func(string) bool, name string) []string {
	var found []string
	for _, s := range t.sources {
		for _, group := range s.file.Comments {
			for _, comment := range group.List {
				if bad(comment.Text) {
					found = append(found, fmt.Sprintf("%s: a comment marks %s", t.fset.Position(comment.Pos()), name))
				}
			}
		}
	}
	return found
}
