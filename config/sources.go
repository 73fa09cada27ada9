package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strconv"
	"strings"

	"github.com/knadh/koanf/providers/env/v2"
	"go.yaml.in/yaml/v3"
)

const maxFileBytes = 1 << 20

// readFile reads the configuration file, which is one YAML mapping of keys to values.
func readFile(path string, found *problems) map[string]any {
	layer := map[string]any{}
	if path == "" {
		return layer
	}
	content, open, err := readSmallFile(path)
	if err != nil {
		found.list = append(found.list, errors.New("the configuration file "+err.Error()))
		return layer
	}
	document, err := parseYAML(content)
	if err != nil {
		found.list = append(found.list, errors.New("the configuration file "+err.Error()))
		return layer
	}
	for key, value := range document {
		if open && isSecret(key, value) {
			found.add(key, "stands in a file that others than its owner and group can read", "chmod 600 the configuration file, or 640 with a group of its own")
		}
		accept(layer, key, value, found)
	}
	return layer
}

// isSecret reports whether a setting is one that must not be seen. A URL is when it has a password.
func isSecret(key string, value any) bool {
	switch key {
	case "master_key":
		return true
	case "database_url", "redis_url":
		text, _ := value.(string)
		return !withoutPassword(text)
	}
	return false
}

var yamlLine = regexp.MustCompile(`line [0-9]+`)

// parseYAML never passes on the parser's text, which quotes the document.
func parseYAML(content []byte) (map[string]any, error) {
	var document map[string]any
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	err := decoder.Decode(&document)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		where := yamlLine.FindString(err.Error())
		return nil, errors.New(strings.TrimSpace("is not a YAML mapping with each key once " + where))
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, errors.New("has more than one YAML document")
	}
	return document, nil
}

func readEnviron(environ []string, found *problems) map[string]any {
	layer := map[string]any{}
	collect := func(name, value string) (string, any) {
		if isServiceLink(name, value) {
			return "", nil
		}
		key := strings.ToLower(strings.TrimPrefix(name, prefix))
		if strings.ToUpper(name) != name {
			found.add(key, "is written in lower case", "variables are in upper case")
			return "", nil
		}
		accept(layer, key, value, found)
		return "", nil
	}
	provider := env.Provider("", env.Opt{
		Prefix: prefix, TransformFunc: collect, EnvironFunc: func() []string { return environ },
	})
	if _, err := provider.Read(); err != nil {
		found.list = append(found.list, err)
	}
	return layer
}

var (
	serviceHost = regexp.MustCompile(`^SIGNET_([A-Z0-9_]+_)?SERVICE_(HOST|PORT(_[A-Z0-9_]+)?)$`)
	servicePort = regexp.MustCompile(`^SIGNET_([A-Z0-9_]+_)?PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?$`)
	portOrProto = regexp.MustCompile(`^((tcp|udp|sctp)(://.*)?|[0-9]+|[0-9a-f.:]+)$`)
)

// Kubernetes gives every pod such variables for a Service named "signet"; they are none of ours.
func isServiceLink(name, value string) bool {
	return serviceHost.MatchString(name) || servicePort.MatchString(name) && portOrProto.MatchString(value)
}

func keyOfFlag(name string) string { return strings.ReplaceAll(name, "-", "_") }

// scalar returns a setting as text. Only networks may be a list.
func scalar(key string, value any) (string, bool) {
	switch value := value.(type) {
	case nil:
		return "", true
	case string:
		return value, true
	case bool:
		return strconv.FormatBool(value), true
	case int:
		return strconv.Itoa(value), true
	case []any:
		if key != "trusted_proxies" {
			return "", false
		}
		texts := make([]string, len(value))
		for i, entry := range value {
			text, ok := entry.(string)
			if !ok {
				return "", false
			}
			texts[i] = text
		}
		return strings.Join(texts, ","), true
	default:
		return "", false
	}
}
