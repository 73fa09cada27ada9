package deploy_test

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/signet-issuer/signet/config"
	"github.com/signet-issuer/signet/internal/secret"
)

const (
	base       = "kubernetes/base/"
	migrateJob = "kubernetes/migrate-job/"
)

// required is, by kind, the API version and the places that an object must have. The schemas of
// Kubernetes are not at hand where tests run.
var required = map[string]struct {
	version string
	places  []string
}{
	"Namespace":           {"v1", []string{"metadata.labels"}},
	"ServiceAccount":      {"v1", []string{"automountServiceAccountToken"}},
	"Deployment":          {"apps/v1", []string{"spec.replicas", "spec.selector.matchLabels", "spec.template.metadata.labels", "spec.template.spec.containers"}},
	"Job":                 {"batch/v1", []string{"spec.backoffLimit", "spec.template.spec.restartPolicy", "spec.template.spec.containers"}},
	"Service":             {"v1", []string{"spec.selector", "spec.ports"}},
	"Ingress":             {"networking.k8s.io/v1", []string{"spec.tls", "spec.rules"}},
	"PodDisruptionBudget": {"policy/v1", []string{"spec.maxUnavailable", "spec.selector.matchLabels"}},
	"NetworkPolicy":       {"networking.k8s.io/v1", []string{"spec.podSelector", "spec.policyTypes", "spec.ingress", "spec.egress"}},
}

func TestKubernetesObjectsAreWhole(t *testing.T) {
	seen := map[string]bool{}
	for _, folder := range []string{base, migrateJob} {
		for _, resource := range document(t, folder+"kustomization.yaml").at("resources").texts() {
			if !strings.HasSuffix(resource, ".yaml") {
				continue
			}
			object := document(t, folder+resource)
			kind := object.at("kind").text()
			want, known := required[kind]
			if !known {
				t.Fatalf("%s is a %s, which this test does not know", resource, kind)
			}
			seen[kind] = true
			object.at("apiVersion").is(want.version)
			object.at("metadata", "name")
			for _, place := range want.places {
				object.at(strings.Split(place, ".")...)
			}
		}
	}
	if len(seen) != len(required) {
		t.Errorf("only %d of %d kinds are there", len(seen), len(required))
	}
}

// Every file of a folder is in its kustomization, or is never applied.
func TestKubernetesFilesAreListed(t *testing.T) {
	for _, folder := range []string{base, migrateJob} {
		listed := document(t, folder+"kustomization.yaml").at("resources").texts()
		found, err := filepath.Glob(folder + "*.yaml")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if name := filepath.Base(path); name != "kustomization.yaml" && !slices.Contains(listed, name) {
				t.Errorf("%s is not listed", path)
			}
		}
	}
}

// A pod passes the profile "restricted" of its namespace.
func TestKubernetesPodsAreRestricted(t *testing.T) {
	document(t, base+"namespace.yaml").at("metadata", "labels", "pod-security.kubernetes.io/enforce").is("restricted")
	for _, file := range []string{base + "deployment.yaml", migrateJob + "job.yaml"} {
		pod := document(t, file).at("spec", "template", "spec")
		pod.at("automountServiceAccountToken").is("false")
		pod.at("serviceAccountName").is(document(t, base+"serviceaccount.yaml").at("metadata", "name").text())
		pod.at("securityContext", "runAsNonRoot").is("true")
		pod.at("securityContext", "seccompProfile", "type").is("RuntimeDefault")
		user, group, _ := strings.Cut(dockerfile(t)[1].one(t, "USER"), ":")
		pod.at("securityContext", "runAsUser").is(user)
		pod.at("securityContext", "fsGroup").is(group)
		for _, container := range pod.at("containers").list() {
			container.at("securityContext", "allowPrivilegeEscalation").is("false")
			container.at("securityContext", "readOnlyRootFilesystem").is("true")
			if got := container.at("securityContext", "capabilities", "drop").texts(); !slices.Equal(got, []string{"ALL"}) {
				t.Errorf("%s drops %v", file, got)
			}
			container.at("resources", "requests", "memory")
			container.at("resources", "limits", "memory")
			container.at("envFrom").list()[0].at("configMapRef", "name").is(configMap(t).at("name").text())
		}
	}
}

func configMap(t *testing.T) node {
	t.Helper()
	return document(t, base+"kustomization.yaml").at("configMapGenerator").list()[0]
}

// variables are the literals of the config map.
func variables(t *testing.T, folder string) map[string]string {
	t.Helper()
	set := map[string]string{}
	for _, literal := range document(t, folder+"kustomization.yaml").at("configMapGenerator").list()[0].at("literals").texts() {
		name, value, _ := strings.Cut(literal, "=")
		set[name] = value
	}
	return set
}

func TestKubernetesSelectorsMatch(t *testing.T) {
	deployment := document(t, base+"deployment.yaml")
	pods := deployment.at("spec", "template", "metadata", "labels")
	job := document(t, migrateJob+"job.yaml").at("spec", "template", "metadata", "labels")
	selectors := map[string]node{
		"Deployment":          deployment.at("spec", "selector", "matchLabels"),
		"Service":             document(t, base+"service.yaml").at("spec", "selector"),
		"PodDisruptionBudget": document(t, base+"poddisruptionbudget.yaml").at("spec", "selector", "matchLabels"),
		"NetworkPolicy":       document(t, base+"networkpolicy.yaml").at("spec", "podSelector", "matchLabels"),
		"PodMonitor":          document(t, "prometheus/podmonitor.yaml").at("spec", "selector", "matchLabels"),
	}
	for _, spread := range deployment.at("spec", "template", "spec", "topologySpreadConstraints").list() {
		selectors["spread by "+spread.at("topologyKey").text()] = spread.at("labelSelector", "matchLabels")
	}
	for name, selector := range selectors {
		if !matches(selector, pods) {
			t.Errorf("%s does not select the servers' pods", name)
		}
		if got, want := matches(selector, job), name == "NetworkPolicy"; got != want {
			t.Errorf("%s selects the pod of the job: %v, want %v", name, got, want)
		}
	}
}

func matches(selector, labels node) bool {
	for _, key := range selector.keys() {
		if !labels.has(key) || labels.at(key).text() != selector.at(key).text() {
			return false
		}
	}
	return true
}

func TestKubernetesPortsAndProbes(t *testing.T) {
	pod := document(t, base+"deployment.yaml").at("spec", "template", "spec")
	container := pod.at("containers", "signet")
	for port, variable := range map[string]string{"http": "SIGNET_LISTEN", "metrics": "SIGNET_METRICS_LISTEN"} {
		_, number, err := net.SplitHostPort(variables(t, base)[variable])
		if err != nil {
			t.Fatal(err)
		}
		container.at("ports", port, "containerPort").is(number)
	}
	for probe, path := range map[string]string{"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"} {
		container.at(probe, "httpGet", "path").is(path)
		container.at(probe, "httpGet", "port").is("http")
		// A server takes a second to find out that it cannot serve.
		if container.at(probe, "timeoutSeconds").number() < 2 {
			t.Errorf("the %s ends before the answer", probe)
		}
	}
	service := document(t, base+"service.yaml").at("spec", "ports").list()[0]
	container.at("ports", service.at("targetPort").text())
	document(t, "prometheus/podmonitor.yaml").at("spec", "podMetricsEndpoints").list()[0].at("port").is("metrics")
	for _, rule := range document(t, base+"networkpolicy.yaml").at("spec", "ingress").list() {
		container.at("ports", rule.at("ports").list()[0].at("port").text())
	}
	for _, rule := range document(t, base+"ingress.yaml").at("spec", "rules").list() {
		backend := rule.at("http", "paths").list()[0].at("backend", "service")
		backend.at("name").is(document(t, base+"service.yaml").at("metadata", "name").text())
		backend.at("port", "name").is(service.at("name").text())
	}
}

// A pod leaves the endpoints, then drains for 5 seconds, and only then is killed.
func TestI38_KubernetesRollsWithoutLoss(t *testing.T) {
	spec := document(t, base+"deployment.yaml").at("spec")
	spec.at("strategy", "rollingUpdate", "maxUnavailable").is("0")
	pod := spec.at("template", "spec")
	sleep := pod.at("containers", "signet", "lifecycle", "preStop", "sleep", "seconds").number()
	if grace := pod.at("terminationGracePeriodSeconds").number(); sleep < 1 || grace < sleep+5+1 {
		t.Errorf("%d s of grace after %d s of sleep are too short", grace, sleep)
	}
}

// Both pods' variables and files are a configuration that Signet takes.
func TestKubernetesConfiguresSignet(t *testing.T) {
	deployment := document(t, base+"deployment.yaml").at("spec", "template", "spec")
	checkConfiguration(t, variables(t, base), deployment, deployment.at("volumes", "secrets", "secret"))

	merged := variables(t, base)
	for name, value := range variables(t, migrateJob) {
		merged[name] = value
	}
	if merged["SIGNET_MIGRATE_AT_START"] != "false" {
		t.Error("the servers migrate beside the job")
	}
	job := document(t, migrateJob+"job.yaml").at("spec", "template", "spec")
	var sources []node
	for _, source := range job.at("volumes", "secrets", "projected", "sources").list() {
		sources = append(sources, source.at("secret"))
	}
	checkConfiguration(t, merged, job, sources...)
}

func checkConfiguration(t *testing.T, set map[string]string, pod node, secrets ...node) {
	t.Helper()
	mount := pod.at("containers").list()[0].at("volumeMounts", "secrets", "mountPath").text()
	folder := t.TempDir()
	contents := map[string]string{
		"database-url": "postgres://signet:x@db.example.com/signet?sslmode=verify-full",
		"redis-url":    "rediss://signet:x@redis.example.com", "master.key": masterKey(t),
	}
	for _, secret := range secrets {
		for _, item := range secret.at("items").list() {
			path := filepath.Join(folder, item.at("path").text())
			// The mode of defaultMode.
			if err := os.WriteFile(path, []byte(contents[item.at("key").text()]), 0o440); err != nil {
				t.Fatal(err)
			}
		}
	}
	var environ []string
	for name, value := range set {
		if file, ok := strings.CutPrefix(value, mount+"/"); ok {
			value = filepath.Join(folder, file)
		}
		environ = append(environ, name+"="+value)
	}
	loaded, err := config.Load(config.Sources{Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	if loaded.DatabaseURL.IsZero() || loaded.RedisURL.IsZero() || loaded.MasterKey.IsZero() {
		t.Errorf("%s: the database, Redis or the master key is not configured", pod.path)
	}
}

func masterKey(t *testing.T) string {
	t.Helper()
	_, text, err := secret.GenerateKey(strings.NewReader(strings.Repeat("signet", 10)))
	if err != nil {
		t.Fatal(err)
	}
	return text.Reveal()
}

// What kustomize makes of it has no name that leads nowhere.
func TestKubernetesRenders(t *testing.T) {
	kubectl := installed(t, "kubectl")
	for folder, objects := range map[string]int{base: 8, migrateJob: 9} {
		rendered := output(t, exec.CommandContext(t.Context(), kubectl, "kustomize", folder))
		names := map[string]string{}
		var list []node
		for text := range strings.SplitSeq(rendered, "\n---\n") {
			var object map[string]any
			if err := yaml.Unmarshal([]byte(text), &object); err != nil {
				t.Fatal(err)
			}
			n := node{t, folder, object}
			names[n.at("kind").text()] = n.at("metadata", "name").text()
			list = append(list, n)
		}
		if len(list) != objects {
			t.Errorf("%s has %d objects, want %d", folder, len(list), objects)
		}
		for _, object := range list {
			kind := object.at("kind").text()
			if kind != "Namespace" {
				object.at("metadata", "namespace").is(names["Namespace"])
			}
			if kind != "Deployment" && kind != "Job" {
				continue
			}
			container := object.at("spec", "template", "spec", "containers").list()[0]
			container.at("envFrom").list()[0].at("configMapRef", "name").is(names["ConfigMap"])
			if image := container.at("image").text(); image == "signet" || !strings.Contains(image, ":") {
				t.Errorf("%s runs %s", kind, image)
			}
		}
	}
}
