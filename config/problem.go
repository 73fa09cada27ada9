package config

import (
	"cmp"
	"errors"
	"slices"
	"strings"
)

// Problem is one thing wrong with one setting. It never holds the value of a secret.
type Problem struct {
	Key  string // in the file; the variable follows from it
	Rule string // what does not hold
	Hint string // what to do; may be ""
}

// Error names the variable, the file key, the rule and the hint on one line.
func (p *Problem) Error() string {
	var text strings.Builder
	text.WriteString(Option{Key: p.Key}.Variable() + " (" + p.Key + "): " + p.Rule)
	if p.Hint != "" {
		text.WriteString("; " + p.Hint)
	}
	return text.String()
}

// problems collects, so that an operator sees everything in one run.
type problems struct{ list []error }

func (p *problems) add(key, rule, hint string) {
	p.list = append(p.list, &Problem{Key: key, Rule: rule, Hint: hint})
}

// has reports whether a setting is known to be bad, so that rules built on it stay silent.
func (p *problems) has(key string) bool {
	return slices.ContainsFunc(p.list, func(err error) bool {
		problem, ok := errors.AsType[*Problem](err)
		return ok && problem.Key == key
	})
}

// err joins all problems in the order of [Options], others first.
func (p *problems) err() error {
	order := map[string]int{}
	for i, option := range Options() {
		order[option.Key] = i + 1
	}
	slices.SortStableFunc(p.list, func(a, b error) int { return cmp.Compare(position(order, a), position(order, b)) })
	return errors.Join(p.list...)
}

func position(order map[string]int, err error) int {
	problem, ok := errors.AsType[*Problem](err)
	if !ok {
		return 0
	}
	return order[problem.Key]
}
