package deploy_test

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// Each command that a page or script tells to run is one that the program has, with its flags.
func TestEveryCommandExists(t *testing.T) {
	pages := append(files(t), "../docs/operations.md")
	found := 0
	for _, name := range pages {
		for _, command := range commands(read(t, name)) {
			found++
			checkCommand(t, name, command)
		}
	}
	for _, args := range [][]string{
		document(t, migrateJob+"job.yaml").at("spec", "template", "spec", "containers", "migrate", "args").texts(),
		strings.Fields(readUnit(t, "systemd/signet.service")["Service"]["ExecStart"][0])[1:],
		{"bootstrap"}, // by docker compose run, as README.md says
	} {
		checkCommand(t, "what is started", args)
	}
	if found < 10 {
		t.Errorf("only %d commands found", found)
	}
}

// position is where a command begins: in a line of a block, or in a snippet between backticks.
var position = regexp.MustCompile("(?:^[ \t]*|\n[ \t#]*|`|&& )(?:[A-Z_]+=\\S* )*(?:/usr/local/bin/)?signet(?:-admin)? ([a-z][^`\n#>&|]*)")

// commands finds what is run with signet in the code of a text, as its arguments.
func commands(text string) [][]string {
	var list [][]string
	for _, match := range position.FindAllStringSubmatch(text, -1) {
		list = append(list, strings.Fields(match[1]))
	}
	return list
}

func checkCommand(t *testing.T, where string, args []string) {
	t.Helper()
	var path, flags []string
	for _, word := range args {
		switch {
		case strings.HasPrefix(word, "--"):
			flags = append(flags, word)
		case regexp.MustCompile(`^[a-z]+$`).MatchString(word) && len(flags) == 0:
			path = append(path, word)
		}
	}
	help := output(t, exec.CommandContext(t.Context(), program(t), append(path, "--help")...))
	if !regexp.MustCompile(`(?m)^  signet ` + strings.Join(path, " ") + `( |$)`).MatchString(help) {
		t.Errorf("%s runs signet %s, which is no command", where, strings.Join(path, " "))
	}
	for _, flag := range flags {
		if !strings.Contains(help, "  "+flag+" ") && !strings.Contains(help, " "+flag+"\n") {
			t.Errorf("%s gives signet %s the flag %s, which it does not have", where, strings.Join(path, " "), flag)
		}
	}
}
