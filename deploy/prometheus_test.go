package deploy_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// Every metric and label that an alert asks for is there on a server that has been asked for
// what the alerts are about.
func (w *world) testAlerts(t *testing.T) {
	metrics := freeAddress(t)
	r := w.replicas[0]
	r.stop(t)
	serving := w.command(r.address, "serve")
	serving.Env = append(serving.Env, "SIGNET_METRICS_LISTEN="+metrics)
	r.process = launch(w.t, serving)
	eventually(t, func() bool { return answers("http://" + r.address + "/readyz") })
	id := w.id
	w.id = "nobody"
	// The other replica answers half of them.
	eventually(t, func() bool {
		status, _ := w.token()
		return status == http.StatusUnauthorized &&
			strings.Contains(body(t, "http://"+metrics+"/metrics"), `error="invalid_client"`)
	})
	w.id = id
	served := series(body(t, "http://"+metrics+"/metrics"))
	asked := 0
	for _, alert := range alerts(t) {
		for _, selector := range regexp.MustCompile(`(\w+)\{([^}]*)\}`).FindAllStringSubmatch(alert.at("expr").text(), -1) {
			asked++
			if !served.match(selector[1], selector[2]) {
				t.Errorf("%s asks for %s, which no server has", alert.at("alert").text(), selector[0])
			}
		}
	}
	if asked == 0 {
		t.Error("no alert asks for anything")
	}
}

func alerts(t *testing.T) []node {
	t.Helper()
	var list []node
	for _, group := range document(t, "prometheus/rules.yaml").at("groups").list() {
		list = append(list, group.at("rules").list()...)
	}
	return list
}

// exposition is by name of a metric the labels of its series.
type exposition map[string][]string

func series(text string) exposition {
	found := exposition{}
	for _, line := range regexp.MustCompile(`(?m)^(\w+)(?:\{(.*)\})? \S+$`).FindAllStringSubmatch(text, -1) {
		found[line[1]] = append(found[line[1]], line[2])
	}
	return found
}

// added are labels and values that the scraper adds, or that only a failure would show.
var added = regexp.MustCompile(`^(job="signet"|status="429"|status="503"|status=~"5\.\."|route!=.*)$`)

func (e exposition) match(name, matchers string) bool {
	if name == "up" {
		return true // is the scraper's own
	}
	for _, labels := range e[name] {
		whole := true
		for matcher := range strings.SplitSeq(matchers, ",") {
			matcher = strings.TrimSpace(matcher)
			key, _, _ := strings.Cut(matcher, "=")
			if added.MatchString(matcher) {
				whole = whole && (key == "job" || strings.Contains(labels, strings.TrimSuffix(key, "!")+`="`))
			} else {
				whole = whole && strings.Contains(","+labels+",", ","+matcher+",")
			}
		}
		if whole {
			return true
		}
	}
	return false
}

func TestEveryAlertSaysWhatItIs(t *testing.T) {
	seen := map[string]bool{}
	for _, alert := range alerts(t) {
		name := alert.at("alert").text()
		if seen[name] {
			t.Errorf("%s is there twice", name)
		}
		seen[name] = true
		alert.at("annotations", "summary")
		if severity := alert.at("labels", "severity").text(); severity != "page" && severity != "ticket" {
			t.Errorf("%s is of severity %s", name, severity)
		}
		if !strings.Contains(read(t, "../docs/operations.md"), "\n### "+name+"\n") {
			t.Errorf("docs/operations.md does not say what to do about %s", name)
		}
	}
}
