// Package dialects shows that the doors of all vendors lead to the same server: one scenario
// through each of them with its transcript, the vendors' own commands, and what an account that
// was made in one door is in the others.
package dialects
