package config

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/v2"
)

// Sources is where settings come from. Flags are by key or by flag name; File may be "".
type Sources struct {
	File    string
	Environ []string // as os.Environ
	Flags   map[string]string
}

// Load merges the sources over the defaults and validates the result. The error joins a
// [Problem] for everything that is wrong, unknown names included; then Config is zero.
func Load(sources Sources) (Config, error) {
	var found problems
	merged := koanf.New(".")
	layers := []map[string]any{
		defaults(),
		readFile(sources.File, &found),
		readEnviron(sources.Environ, &found),
		readFlags(sources.Flags, &found),
	}
	for _, layer := range layers {
		if err := merged.Load(confmap.Provider(layer, ""), nil); err != nil {
			return Config{}, fmt.Errorf("merge the configuration: %w", err)
		}
	}
	config := decode(merged, &found)
	if !slices.ContainsFunc(layers[1:], sets("token_lifetime")) {
		config.TokenLifetime = min(config.TokenLifetime, max(config.TokenMaxLifetime, time.Second))
	}
	config.readSecrets(&found)
	config.check(&found)
	if err := found.err(); err != nil {
		return Config{}, err
	}
	return config, nil
}

func sets(key string) func(map[string]any) bool {
	return func(layer map[string]any) bool {
		_, set := layer[key]
		return set
	}
}

func defaults() map[string]any {
	layer := map[string]any{}
	for _, option := range Options() {
		if option.Default != "" {
			layer[option.Key] = option.Default
		}
	}
	return layer
}

func readFlags(flags map[string]string, found *problems) map[string]any {
	layer := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(flags)) {
		key := keyOfFlag(name)
		if slices.Contains([]string{"master_key", "database_url", "redis_url"}, key) {
			found.add(key, "must not be a flag, which every user of the machine can see", "use "+Option{Key: key + "_file"}.Variable())
			continue
		}
		accept(layer, key, flags[name], found)
	}
	return layer
}

// accept enters one setting of one source as text, if the setting exists and has a value.
func accept(layer map[string]any, key string, value any, found *problems) {
	if _, known := find(key); !known {
		found.add(key, "is not a setting", unknownHint(key))
		return
	}
	text, ok := scalar(key, value)
	switch {
	case !ok:
		found.add(key, "must be a single value", "")
	case text == "":
		found.add(key, "is empty", "remove it to use the default")
	default:
		layer[key] = text
	}
}
