package config

// unknownHint tells what an unknown key may have meant.
func unknownHint(key string) string {
	if notYet(key) {
		return "this version does not have it"
	}
	for _, option := range Options() {
		if distance(key, option.Key) <= 2 {
			return "did you mean " + option.Variable() + " (" + option.Key + ")?"
		}
	}
	return "`signet config check --help` lists all settings"
}

// distance counts the one-byte edits between two keys (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
