package web

import (
	"errors"
	"fmt"
	"net/http"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gorilla/mux"
)

// Router serves the routes of all surfaces. Paths are taken as they stand: one that is
// not clean, or hides a separator in an escape, has no route and is never redirected.
type Router struct {
	mux      *mux.Router
	surfaces []Surface
	areas    []area // longest first
	methods  []string
	exempt   map[string]bool // by path
}

// area is a part of the path space and the surface that answers for it.
type area struct {
	path    string // without a slash at its end
	exact   bool
	surface *Surface
}

// NewRouter registers the routes in the given order, in which they are also tried. The
// last surface answers for paths that are nobody's. It panics on a route that is declared
// twice, cannot be parsed or is exempt with a variable: all are mistakes in the program.
func NewRouter(surfaces ...Surface) *Router {
	router := &Router{mux: mux.NewRouter().SkipClean(true), surfaces: surfaces, exempt: map[string]bool{}}
	seen := map[string]bool{}
	for i := range surfaces {
		surface := &surfaces[i]
		for _, prefix := range surface.Prefixes {
			router.areas = append(router.areas, area{path: strings.TrimSuffix(prefix, "/"), surface: surface})
		}
		for _, route := range surface.Routes {
			if id := route.Method + " " + route.Path; seen[id] {
				panic("web: route declared twice: " + id)
			} else {
				seen[id] = true
			}
			router.add(surface, route)
		}
	}
	slices.SortStableFunc(router.areas, func(a, b area) int { return len(b.path) - len(a.path) })
	router.mux.NotFoundHandler = http.HandlerFunc(router.notFound)
	router.mux.MethodNotAllowedHandler = http.HandlerFunc(router.methodNotAllowed)
	return router
}

func (rt *Router) add(surface *Surface, route Route) {
	methods := []string{route.Method}
	if route.Method == http.MethodGet {
		methods = append(methods, http.MethodHead)
	}
	// Path before methods: mux 1.8.1 forgets a method mismatch when a later route's method fits.
	added := rt.mux.Path(route.Path).Methods(methods...).Handler(serve(surface, route))
	err := added.GetError()
	if err == nil && route.Exempt && strings.Contains(route.Path, "{") {
		err = errors.New("exempt with a variable")
	}
	if err != nil {
		panic(fmt.Sprintf("web: route %s %s: %v", route.Method, route.Path, err))
	}
	rt.areas = append(rt.areas, areaOf(surface, route))
	if route.Exempt {
		rt.exempt[route.Path] = true
	}
	for _, method := range methods {
		if !slices.Contains(rt.methods, method) {
			rt.methods = append(rt.methods, method)
		}
	}
	slices.Sort(rt.methods)
}

// serve adapts a handler: it enters the route into the event and renders the handler's error.
func serve(surface *Surface, route Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		event := EventFrom(r.Context())
		event.surface, event.route, event.fail = surface.Name, route.Path, surface.Fail
		if err := route.Handler(w, r); err != nil {
			surface.Fail.answer(w, r, err)
		}
	})
}

// ServeHTTP implements [http.Handler].
func (rt *Router) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if !plainPath(r) {
		rt.notFound(w, r)
		return
	}
	rt.mux.ServeHTTP(w, r)
}

// Exempt reports whether the request is for an exempt route. It is meant for [Shed] and
// [RequireTLS], which stand before the router.
func (rt *Router) Exempt(r *http.Request) bool { return rt.exempt[r.URL.Path] }

// Var returns a variable of the route's path, decoded. It contains no slash.
func Var(r *http.Request, name string) string { return mux.Vars(r)[name] }

// Fail renders err through the surface that the path belongs to, whether or not it has
// a route. It is meant for [EventConfig].
func (rt *Router) Fail(w http.ResponseWriter, r *http.Request, err error) {
	surface := rt.surfaceOf(r.URL.Path)
	EventFrom(r.Context()).surface = surface.Name
	surface.Fail.answer(w, r, err)
}

func (rt *Router) notFound(w http.ResponseWriter, r *http.Request) {
	rt.Fail(w, r, NotFound())
}

func (rt *Router) methodNotAllowed(w http.ResponseWriter, r *http.Request) {
	var allow []string
	for _, method := range rt.methods {
		other := *r
		other.Method = method
		var match mux.RouteMatch
		if rt.mux.Match(&other, &match) && match.MatchErr == nil && match.Route != nil {
			allow = append(allow, method)
		}
	}
	rt.Fail(w, r, MethodNotAllowed(strings.Join(allow, ", ")))
}

// areaOf is the path of a route, or all beneath the segments before its first variable.
func areaOf(surface *Surface, route Route) area {
	static, _, variable := strings.Cut(route.Path, "{")
	if variable {
		static = static[:strings.LastIndexByte(static, '/')+1]
	}
	return area{path: strings.TrimSuffix(static, "/"), exact: !variable, surface: surface}
}

// surfaceOf finds the longest area that the path lies in.
func (rt *Router) surfaceOf(requested string) *Surface {
	cleaned := strings.TrimSuffix(path.Clean("/"+requested), "/")
	for _, a := range rt.areas {
		if a.holds(cleaned) {
			return a.surface
		}
	}
	return &rt.surfaces[len(rt.surfaces)-1]
}

func (a area) holds(path string) bool {
	return path == a.path || !a.exact && strings.HasPrefix(path, a.path+"/")
}

// plainPath reports whether the decoded path has the segments that the sent one shows.
func plainPath(r *http.Request) bool {
	decoded := r.URL.Path
	if !strings.HasPrefix(decoded, "/") || !utf8.ValidString(decoded) {
		return false
	}
	if r.URL.RawPath != "" && strings.Count(decoded, "/") != strings.Count(r.URL.RawPath, "/") {
		return false
	}
	if strings.ContainsRune(decoded, '\\') || strings.ContainsFunc(decoded, unicode.IsControl) {
		return false
	}
	cleaned := path.Clean(decoded)
	return decoded == cleaned || decoded == cleaned+"/"
}
