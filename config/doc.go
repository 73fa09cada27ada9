// Package config reads what an operator decides: a file, the environment and flags,
// each beating the one before. It is strict, and names every problem at once.
package config
